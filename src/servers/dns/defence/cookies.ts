/**
 * DNS cookies (RFC 7873, in the form of RFC 9018): a client that shows a valid cookie has received a
 * reply of ours at its address before, so the address is not forged.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Cookies } from '../responder.ts'
import { u16 } from '../store/layout.ts'
import { Remote } from './remote.ts'
import { sipHash } from './siphash.ts'

const OPTION_CODE = 10
const OPTION_HEADER_OCTETS = 4
const CLIENT_OCTETS = 8
const SERVER_OCTETS = 16
const MIN_SERVER_OCTETS = 8
const MAX_SERVER_OCTETS = 32
const VERSION = 1
const SECRET_OCTETS = 16
const SECONDS_A_DAY = 86_400
/** RFC 9018 section 4.3: valid for an hour, and up to five minutes ahead; renewed at half time. */
const VALID_SECONDS = 3600
const AHEAD_SECONDS = 300
const RENEW_SECONDS = 1800

export class CookieJar implements Cookies {
  /** The client's address, and the time in seconds since 1970; set before each query. */
  readonly remote = new Remote()
  nowS = 0
  /** Whether the query read last has a valid cookie. */
  isValid = false
  readonly #key: Uint8Array
  #hasCookie = false
  #day = -1
  #secret = new Uint8Array(SECRET_OCTETS)
  #former = new Uint8Array(SECRET_OCTETS)
  readonly #option = new Uint8Array(OPTION_HEADER_OCTETS + CLIENT_OCTETS + SERVER_OCTETS)
  readonly #hashed = new Uint8Array(CLIENT_OCTETS + 8 + 16)
  readonly #expected = new Uint8Array(8)
  readonly #shown = new Uint8Array(8)

  /** Nameservers with the same key accept each other's cookies; the derived secret changes every day. */
  constructor(key: Uint8Array) {
    this.#key = key
    this.#option[1] = OPTION_CODE
    this.#option[3] = CLIENT_OCTETS + SERVER_OCTETS
  }

  get option(): Uint8Array | undefined {
    return this.#hasCookie ? this.#option : undefined
  }

  read(message: Uint8Array, start: number, end: number): boolean {
    this.#hasCookie = false
    this.isValid = false
    for (let at = start; at < end; ) {
      if (at + OPTION_HEADER_OCTETS > end) return false
      const length = u16(message, at + 2)
      const data = at + OPTION_HEADER_OCTETS
      if (data + length > end) return false
      const isFirst = u16(message, at) === OPTION_CODE && !this.#hasCookie
      if (isFirst && !this.#readCookie(message, data, length)) return false
      at = data + length
    }
    return true
  }

  /** RFC 7873 section 5.2.2: other lengths than these are FORMERR. */
  #readCookie(message: Uint8Array, at: number, length: number): boolean {
    const server = length - CLIENT_OCTETS
    if (server !== 0 && (server < MIN_SERVER_OCTETS || server > MAX_SERVER_OCTETS)) return false
    this.#hasCookie = true
    this.#rollSecret()
    for (let i = 0; i < CLIENT_OCTETS; i++)
      this.#option[OPTION_HEADER_OCTETS + i] = message[at + i]!
    if (server === SERVER_OCTETS) this.#check(message, at + CLIENT_OCTETS)
    if (!this.isValid) this.#make()
    return true
  }

  #check(message: Uint8Array, at: number): void {
    const issuedAt =
      ((message[at + 4]! << 24) | (u16(message, at + 5) << 8) | message[at + 7]!) >>> 0
    // RFC 1982: times are compared around the clock of 32 bits.
    const age = (this.nowS - issuedAt) | 0
    if (message[at] !== VERSION || age > VALID_SECONDS || age < -AHEAD_SECONDS) return
    const option = OPTION_HEADER_OCTETS + CLIENT_OCTETS
    for (let i = 0; i < SERVER_OCTETS; i++) this.#option[option + i] = message[at + i]!
    this.#shown.set(this.#option.subarray(option + 8))
    this.isValid = this.#isHashUnder(this.#secret) || this.#isHashUnder(this.#former)
    if (this.isValid && age > RENEW_SECONDS) this.#make()
  }

  #isHashUnder(secret: Uint8Array): boolean {
    this.#hash(secret, this.#expected, 0)
    return timingSafeEqual(this.#expected, this.#shown)
  }

  #make(): void {
    const at = OPTION_HEADER_OCTETS + CLIENT_OCTETS
    this.#option.fill(0, at, at + 4)
    this.#option[at] = VERSION
    for (let i = 0; i < 4; i++) this.#option[at + 4 + i] = this.nowS >>> (24 - 8 * i)
    this.#hash(this.#secret, this.#option, at + 8)
  }

  /** Over client cookie, version, reserved, time and address. */
  #hash(secret: Uint8Array, into: Uint8Array, at: number): void {
    const { octets, length } = this.remote
    for (let i = 0; i < 16; i++) this.#hashed[i] = this.#option[OPTION_HEADER_OCTETS + i]!
    for (let i = 0; i < length; i++) this.#hashed[16 + i] = octets[i]!
    sipHash(secret, this.#hashed, 16 + length, into, at)
  }

  #rollSecret(): void {
    const day = Math.floor(this.nowS / SECONDS_A_DAY)
    if (day === this.#day) return
    this.#day = day
    this.#secret = secretOfDay(this.#key, day)
    this.#former = secretOfDay(this.#key, day - 1)
  }
}

export function secretOfDay(key: Uint8Array, day: number): Uint8Array<ArrayBuffer> {
  const hmac = createHmac('sha256', key).update(`dns cookie of day ${day}`).digest()
  return new Uint8Array(hmac.subarray(0, SECRET_OCTETS))
}
