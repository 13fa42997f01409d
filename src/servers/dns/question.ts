/** A query as received: its header, its question, its EDNS, and what is wrong with it. */
import { HEADER_OCTETS } from '#dns/query.ts'
import { CLASS, RCODE, TYPE } from '#dns/types.ts'
import { i32, u16 } from './store/layout.ts'
import type { Seed } from './store/shared.ts'
import { WireName } from './wire-name.ts'

const QR = 0x8000
const OPCODE = 0x7800
const RD = 0x0100
const DO = 0x8000
const RECORD_OCTETS = 10
const MAX_LABEL_OCTETS = 63
const POINTER = 0xc0

/** Reads each query into the same memory. */
export class Query {
  readonly name: WireName
  id = 0
  /** The flags that a reply repeats: the opcode and RD. */
  flags = 0
  /** Why the query cannot be answered, or NOERROR. */
  rcode: number = RCODE.NOERROR
  hasQuestion = false
  type = 0
  class = 0
  /** The offset where the question ends; it begins behind the header. */
  questionEnd = 0
  hasEdns = false
  udpSize = 0
  isDnssecOk = false
  /** The offset of the OPT's rdata. */
  optionsStart = 0
  optionsEnd = 0
  #message: Uint8Array = new Uint8Array()
  #at = 0
  #end = 0

  constructor(seed: Seed) {
    this.name = new WireName(seed)
  }

  /**
   * Reads the message between two offsets; false if it gets no reply: a response, or shorter than a
   * header.
   */
  read(message: Uint8Array, start: number, end: number): boolean {
    if (end - start < HEADER_OCTETS) return false
    const flags = u16(message, start + 2)
    // Two servers that answer each other's responses would never stop.
    if (flags & QR) return false
    this.id = u16(message, start)
    this.flags = flags & (OPCODE | RD)
    this.hasQuestion = false
    this.hasEdns = false
    this.isDnssecOk = false
    this.#message = message
    this.#at = start + HEADER_OCTETS
    this.#end = end
    this.rcode = flags & OPCODE ? RCODE.NOTIMP : this.#readSections(start)
    return true
  }

  /** RFC 1035 section 3.2.4: the query is for our only class, or for any class. */
  get isOurClass(): boolean {
    return this.class === CLASS.IN || this.class === CLASS.ANY
  }

  #readSections(start: number): number {
    const message = this.#message
    // RFC 9619 section 4: a query has one question.
    if (u16(message, start + 4) !== 1 || !this.#readQuestion()) return RCODE.FORMERR
    const others = u16(message, start + 6) + u16(message, start + 8)
    for (let left = others; left > 0; left--) if (!this.#skipRecord()) return RCODE.FORMERR
    const rcode = this.#readAdditional(u16(message, start + 10))
    this.hasQuestion = rcode !== RCODE.FORMERR
    if (rcode === RCODE.FORMERR) this.hasEdns = false
    return rcode
  }

  #readQuestion(): boolean {
    if (!this.name.read(this.#message, this.#at, this.#end)) return false
    this.#at += this.name.length
    if (this.#at + 4 > this.#end) return false
    this.type = u16(this.#message, this.#at)
    this.class = u16(this.#message, this.#at + 2)
    this.#at += 4
    this.questionEnd = this.#at
    return true
  }

  /** RFC 6891 sections 6.1.1 and 6.1.2: at most one OPT, owned by the root. */
  #readAdditional(count: number): number {
    let rcode: number = RCODE.NOERROR
    for (let left = count; left > 0; left--) {
      const owner = this.#at
      if (!this.#skipRecord()) return RCODE.FORMERR
      const fixed = this.#fixed
      if (u16(this.#message, fixed) !== TYPE.OPT) continue
      if (this.hasEdns || fixed !== owner + 1) return RCODE.FORMERR
      rcode = this.#readOpt(fixed)
    }
    return rcode
  }

  #readOpt(fixed: number): number {
    this.hasEdns = true
    this.udpSize = u16(this.#message, fixed + 2)
    this.isDnssecOk = (i32(this.#message, fixed + 4) & DO) !== 0
    this.optionsStart = fixed + RECORD_OCTETS
    this.optionsEnd = this.#at
    // RFC 6891 section 6.1.3: an unsupported version gets BADVERS.
    return this.#message[fixed + 5] === 0 ? RCODE.NOERROR : RCODE.BADVERS
  }

  /** The offset behind the owner of the record skipped last. */
  #fixed = 0

  #skipRecord(): boolean {
    if (!this.#skipName()) return false
    this.#fixed = this.#at
    if (this.#at + RECORD_OCTETS > this.#end) return false
    this.#at += RECORD_OCTETS + u16(this.#message, this.#at + 8)
    return this.#at <= this.#end
  }

  /** RFC 1035 section 4.1.4: a name ends with a zero octet or with a pointer. */
  #skipName(): boolean {
    while (this.#at < this.#end) {
      const length = this.#message[this.#at]!
      this.#at += 1 + (length >= POINTER ? 1 : length)
      if (length === 0 || length >= POINTER) return true
      if (length > MAX_LABEL_OCTETS) return false
    }
    return false
  }
}
