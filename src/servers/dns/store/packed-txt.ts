/**
 * TXT rdata with a DKIM key (RFC 6376 section 3.6.1) takes most of a zone's memory, a quarter of it due
 * to base64. The key is stored as octets and expanded for each answer:
 *
 *   octets of the rdata u16 · octets before the key u16 · text before · octets of the key u16 · key · text after
 */
import { u16 } from './layout.ts'

const KEY = /\bp=([A-Za-z0-9+/]{64,}={0,2})/
const STRING_OCTETS = 255
const HEAD_OCTETS = 6
const MAX_RDATA_OCTETS = 65_535
/** To verify that packed rdata expands to the same octets. */
const unpacked = Buffer.alloc(MAX_RDATA_OCTETS)
const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const PAD = 0x3d

/** The packed form of TXT rdata; undefined where unpacking would not give the same octets. */
export function packTxt(rdata: Buffer): Buffer | undefined {
  const text = textOf(rdata)
  const match = KEY.exec(text)
  const start = match === null ? 0 : match.index + 'p='.length
  const key = Buffer.from(match?.[1] ?? '', 'base64')
  if (match === null || key.toString('base64') !== match[1]) return undefined
  const before = Buffer.from(text.slice(0, start), 'latin1')
  const after = Buffer.from(text.slice(start + match[1].length), 'latin1')
  const packed = Buffer.concat([Buffer.alloc(4), before, Buffer.alloc(2), key, after])
  packed.writeUInt16BE(rdata.length, 0)
  packed.writeUInt16BE(before.length, 2)
  packed.writeUInt16BE(key.length, 4 + before.length)
  const length = unpackTxt(packed, 0, packed.length, unpacked, 0)
  return unpacked.subarray(0, length).equals(rdata) ? packed : undefined
}

/** Expands the packed form; returns the number of octets. */
export function unpackTxt(
  packed: Uint8Array,
  at: number,
  length: number,
  into: Uint8Array,
  intoAt: number,
): number {
  const before = u16(packed, at + 2)
  const keyAt = at + HEAD_OCTETS + before
  const key = u16(packed, keyAt - 2)
  const afterAt = keyAt + key
  const end = at + length
  out = into
  next = intoAt
  room = 0
  left = before + 4 * Math.ceil(key / 3) + end - afterAt
  for (let i = at + 4; i < at + 4 + before; i++) put(packed[i]!)
  putBase64(packed, keyAt, key)
  for (let i = afterAt; i < end; i++) put(packed[i]!)
  return next - intoAt
}

/** The next output position, the octets left in the current string, and the octets left in all. */
let out: Uint8Array = new Uint8Array()
let next = 0
let room = 0
let left = 0

/** RFC 1035 section 3.3: a character-string holds 255 octets behind its length. */
function put(octet: number): void {
  if (room === 0) {
    room = Math.min(left, STRING_OCTETS)
    out[next++] = room
  }
  out[next++] = octet
  room--
  left--
}

function putBase64(bytes: Uint8Array, start: number, length: number): void {
  const whole = start + length - (length % 3)
  for (let i = start; i < whole; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
    put(ALPHABET[group >> 18]!)
    put(ALPHABET[(group >> 12) & 63]!)
    put(ALPHABET[(group >> 6) & 63]!)
    put(ALPHABET[group & 63]!)
  }
  if (length % 3 === 0) return
  const isPair = length % 3 === 2
  const group = (bytes[whole]! << 16) | (isPair ? bytes[whole + 1]! << 8 : 0)
  put(ALPHABET[group >> 18]!)
  put(ALPHABET[(group >> 12) & 63]!)
  put(isPair ? ALPHABET[(group >> 6) & 63]! : PAD)
  put(PAD)
}

function textOf(rdata: Buffer): string {
  const parts: string[] = []
  for (let at = 0; at < rdata.length; at += 1 + rdata[at]!) {
    parts.push(rdata.toString('latin1', at + 1, at + 1 + rdata[at]!))
  }
  return parts.join('')
}
