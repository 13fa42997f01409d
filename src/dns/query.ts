/** Reads received queries, with their faults, and writes our own. */
import { nameOf, nameToWire } from './name.ts'
import { CLASS, numberOfType, RCODE, type Rcode, TYPE, type TypeName } from './types.ts'

export type Question = {
  name: string
  type: number
  class: number
  /** The question as it was sent, to be echoed. */
  octets: Buffer
  /** The offset of each suffix of the name, for compression in the reply. */
  offsets: ReadonlyMap<string, number>
}

export type Edns = { udpSize: number; version: number; isDnssecOk: boolean }

export type Query = {
  id: number
  /** Those flags that a reply repeats: the opcode and RD. */
  flags: number
  /** Why the query cannot be answered, or NOERROR. */
  rcode: Rcode
  question?: Question
  edns?: Edns
}

export const HEADER_OCTETS = 12
const MAX_NAME_OCTETS = 255
const QR = 0x8000
const OPCODE = 0x7800
const RD = 0x0100
const DO = 0x8000

/** Undefined for what gets no reply: a response, or less than a header. */
export function readQuery(message: Uint8Array): Query | undefined {
  if (message.length < HEADER_OCTETS) return undefined
  const reader = new Reader(message)
  const [id, flags, questions, answers, authorities, additionals] = reader.u16s(6)
  // Two servers that answer each other's responses would never stop.
  if (flags & QR) return undefined
  const header = { id, flags: flags & (OPCODE | RD) }
  if (flags & OPCODE) return { ...header, rcode: RCODE.NOTIMP }
  // RFC 9619 section 4: a query has one question.
  if (questions !== 1) return { ...header, rcode: RCODE.FORMERR }
  const question = readQuestion(reader)
  skipRecords(reader, answers + authorities)
  const edns = readEdns(reader, additionals)
  if (reader.isMalformed) return { ...header, rcode: RCODE.FORMERR }
  if (edns === undefined) return { ...header, rcode: RCODE.NOERROR, question }
  // RFC 6891 section 6.1.3: a version that we do not speak is BADVERS.
  return { ...header, rcode: edns.version > 0 ? RCODE.BADVERS : RCODE.NOERROR, question, edns }
}

function readQuestion(reader: Reader): Question {
  const start = reader.at
  const { name, offsets } = reader.name()
  const [type, qclass] = reader.u16s(2)
  return { name, type, class: qclass, offsets, octets: reader.since(start) }
}

function skipRecords(reader: Reader, count: number): void {
  for (let left = count; left > 0 && !reader.isMalformed; left--) readRecord(reader)
}

/** RFC 6891 sections 6.1.1 and 6.1.2: at most one OPT, owned by the root. */
function readEdns(reader: Reader, count: number): Edns | undefined {
  let edns: Edns | undefined
  for (let left = count; left > 0 && !reader.isMalformed; left--) {
    const { isAtRoot, type, udpSize, version, flags } = readRecord(reader)
    if (type !== TYPE.OPT) continue
    if (edns !== undefined || !isAtRoot) reader.isMalformed = true
    edns = { udpSize, version, isDnssecOk: (flags & DO) !== 0 }
  }
  return edns
}

/** A record, its class and TTL read as RFC 6891 section 6.1.3 reads those of an OPT. */
function readRecord(reader: Reader) {
  const start = reader.at
  reader.skipName()
  const isAtRoot = reader.at === start + 1
  const [type, udpSize, extended, flags, length] = reader.u16s(5)
  reader.take(length)
  return { isAtRoot, type, udpSize, version: extended & 0xff, flags }
}

type Tuple<N extends number, T extends number[] = []> = T['length'] extends N
  ? T
  : Tuple<N, [...T, number]>

/** Reads through a message. Past its end, or at invalid data, it becomes malformed and gives zeros. */
class Reader {
  at = 0
  isMalformed = false
  readonly #message: Buffer

  constructor(message: Uint8Array) {
    this.#message = Buffer.from(message.buffer, message.byteOffset, message.byteLength)
  }

  take(length: number): Buffer {
    const octets = this.since(this.at, length)
    this.at += length
    if (octets.length < length) this.isMalformed = true
    return octets
  }

  since(start: number, length = this.at - start): Buffer {
    return this.#message.subarray(start, start + length)
  }

  u8(): number {
    return this.take(1)[0] ?? 0
  }

  u16s<N extends number>(count: N): Tuple<N> {
    return Array.from({ length: count }, () => this.u8() * 256 + this.u8()) as Tuple<N>
  }

  /** The name of a question, which comes too early in a message to be compressed. */
  name(): { name: string; offsets: Map<string, number> } {
    const start = this.at
    const labels: { at: number; octets: Buffer }[] = []
    for (let at = start, length = this.u8(); length > 0; at = this.at, length = this.u8()) {
      // RFC 1035 section 3.1: 63 octets a label (more would be a pointer), 255 a name.
      if (length > 63 || this.at + length - start >= MAX_NAME_OCTETS) this.isMalformed = true
      if (this.isMalformed) break
      labels.push({ at, octets: this.take(length) })
    }
    const octets = labels.map((label) => label.octets)
    const offsets = labels.map(({ at }, i): [string, number] => [nameOf(octets.slice(i)), at])
    return { name: nameOf(octets), offsets: new Map(offsets) }
  }

  /** RFC 1035 section 4.1.4: a name ends with a zero octet or with a pointer. */
  skipName(): void {
    while (!this.isMalformed) {
      const length = this.u8()
      if (length >= 0xc0) this.take(1)
      else if (length > 63) this.isMalformed = true
      else this.take(length)
      if (length === 0 || length >= 0xc0) return
    }
  }
}

/** A query to another server. `name` is absolute, in the case it is to be sent in. */
export type NewQuery = {
  id: number
  name: string
  type: TypeName
  isRecursionDesired: boolean
  /** The UDP size of the OPT, which also sets DO; no OPT without it. */
  udpSize?: number | undefined
}

/** The octets of a query. Throws a RangeError at an invalid name or type. */
export function writeQuery({ id, name, type, isRecursionDesired, udpSize }: NewQuery): Buffer {
  const number = numberOfType(type)
  if (number === undefined) throw new RangeError(`${type} is no type`)
  const isExtended = udpSize !== undefined
  const header = words(id, isRecursionDesired ? RD : 0, 1, 0, 0, isExtended ? 1 : 0)
  const question = [nameToWire(name), words(number, CLASS.IN)]
  // RFC 3225 section 3: DO, so that a referral carries the DS of the child (RFC 4035 section 3.1.4).
  const opt = isExtended ? [Buffer.of(0), words(TYPE.OPT, udpSize, 0, DO, 0)] : []
  return Buffer.concat([header, ...question, ...opt])
}

const words = (...numbers: readonly number[]): Buffer =>
  Buffer.from(numbers.flatMap((number) => [number >> 8, number & 0xff]))
