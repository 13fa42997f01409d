/**
 * Where the parts of a message are, without the rdata. Enough to find a signature, a serial or an owner in
 * a query or a response; `query.ts` says what a query means.
 */
import { nameOf } from './name.ts'
import { HEADER_OCTETS } from './query.ts'

export type Section = 'answer' | 'authority' | 'additional'

/** A record by its place. Offsets are from the start of the message. */
export type RecordAt = {
  section: Section
  /** The owner, absolute and lowercase. */
  name: string
  type: number
  class: number
  ttl: number
  start: number
  rdata: number
  end: number
}

export type MessageShape = {
  id: number
  flags: number
  /** The first question; its name is absolute and lowercase. */
  question: { name: string; type: number; class: number } | undefined
  /** Where the records begin. */
  recordsStart: number
  records: readonly RecordAt[]
}

export const opcodeOf = (flags: number): number => (flags >> 11) & 0x0f
export const rcodeOf = (flags: number): number => flags & 0x0f

const SECTIONS: readonly Section[] = ['answer', 'authority', 'additional']
const MAX_NAME_OCTETS = 255

/** Undefined if the octets are no complete message, or more follow its last record. */
export function shapeOf(message: Buffer): MessageShape | undefined {
  try {
    return readShape(message)
  } catch (error) {
    if (error instanceof RangeError) return undefined // Read past the end, or Malformed.
    throw error
  }
}

function readShape(message: Buffer): MessageShape {
  const questions = message.readUInt16BE(4)
  if (questions > 1) throw new RangeError('More than one question')
  const asked = questions === 1 ? readQuestion(message) : undefined
  const recordsStart = asked?.end ?? HEADER_OCTETS
  const records: RecordAt[] = []
  let at = recordsStart
  for (const [index, section] of SECTIONS.entries()) {
    for (let left = message.readUInt16BE(6 + 2 * index); left > 0; left--) {
      const record = readRecord(message, at, section)
      records.push(record)
      at = record.end
    }
  }
  if (at !== message.length) throw new RangeError('Octets behind the last record')
  const [id, flags] = [message.readUInt16BE(0), message.readUInt16BE(2)]
  return { id, flags, question: asked?.question, recordsStart, records }
}

function readQuestion(message: Buffer) {
  const { name, end } = readName(message, HEADER_OCTETS)
  const question = { name, type: message.readUInt16BE(end), class: message.readUInt16BE(end + 2) }
  return { question, end: end + 4 }
}

function readRecord(message: Buffer, start: number, section: Section): RecordAt {
  const { name, end: fixed } = readName(message, start)
  const rdata = fixed + 10
  const end = rdata + message.readUInt16BE(fixed + 8)
  if (end > message.length) throw new RangeError('Rdata past the end')
  return {
    section,
    name,
    type: message.readUInt16BE(fixed),
    class: message.readUInt16BE(fixed + 2),
    ttl: message.readUInt32BE(fixed + 4),
    start,
    rdata,
    end,
  }
}

/** The name at an offset, and the offset after it. Throws `RangeError` if there is none. */
export function readName(message: Buffer, start: number): { name: string; end: number } {
  const { labels, end } = labelsAt(message, start)
  return { name: nameOf(labels), end }
}

/** The same as labels, in their original case. */
export function labelsAt(message: Buffer, start: number): { labels: Buffer[]; end: number } {
  const labels: Buffer[] = []
  let end: number | undefined
  let octets = 1
  for (let at = start, lowest = start; ; ) {
    const length = message.readUInt8(at)
    if (length === 0) return { labels, end: end ?? at + 1 }
    if (length >= 0xc0) {
      const target = message.readUInt16BE(at) & 0x3fff
      end ??= at + 2
      // RFC 1035 section 4.1.4: a pointer points at a prior place, so following it must end.
      if (target >= lowest) throw new RangeError('A pointer that does not point back')
      at = target
      lowest = target
      continue
    }
    octets += 1 + length
    const label = message.subarray(at + 1, at + 1 + length)
    // RFC 1035 section 3.1: 63 octets a label, 255 a name.
    if (length > 63 || octets > MAX_NAME_OCTETS || label.length < length)
      throw new RangeError('Not a name')
    labels.push(label)
    at += 1 + length
  }
}

/**
 * The type of the last record of the message between two offsets, without allocating: runs for each packet.
 * Undefined where there is no record, or the message ends too early.
 */
export function lastRecordType(
  message: Uint8Array,
  start = 0,
  end = message.length,
): number | undefined {
  if (end - start < HEADER_OCTETS) return undefined
  const questions = u16(message, start + 4)
  let left = u16(message, start + 6) + u16(message, start + 8) + u16(message, start + 10)
  if (left === 0 || questions > 1) return undefined
  let at = start + HEADER_OCTETS
  if (questions === 1) at = nameEnd(message, at, end) + 4
  let type: number | undefined
  for (; left > 0; left--) {
    at = nameEnd(message, at, end)
    if (at + 10 > end) return undefined
    type = u16(message, at)
    at += 10 + u16(message, at + 8)
  }
  return at > end ? undefined : type
}

const u16 = (message: Uint8Array, at: number): number => message[at]! * 256 + message[at + 1]!

/** The end of the name at an offset; `end` if it does not end before. */
export function nameEnd(message: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; ) {
    const length = message[at]!
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    at += 1 + length
  }
  return end
}
