/** Reads a whole message, as a resolver gets it: every record with the octets of its rdata, uncompressed. */
import { labelsAt } from './message-shape.ts'
import { nameOf } from './name.ts'
import { HEADER_OCTETS } from './query.ts'
import { TYPE } from './types.ts'

export type MessageRecord = {
  /** Absolute, lowercase. */
  name: string
  type: number
  class: number
  /** In seconds; 0 where its first bit is set (RFC 2181 section 8). */
  ttl: number
  rdata: Buffer
}

export type Message = {
  id: number
  isResponse: boolean
  isAuthoritative: boolean
  isTruncated: boolean
  recursionAvailable: boolean
  /** With the upper bits of an OPT (RFC 6891 section 6.1.3). */
  rcode: number
  questions: readonly { labels: readonly Buffer[]; type: number; class: number }[]
  answers: readonly MessageRecord[]
  authorities: readonly MessageRecord[]
  /** Without the OPT. */
  additionals: readonly MessageRecord[]
}

/** Throws a RangeError if the octets are no DNS message. */
export function readMessage(octets: Uint8Array): Message {
  const reader = new Reader(octets)
  const [id, flags, ...counts] = Array.from({ length: 6 }, () => reader.u16()) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const questions = times(counts[0], () => ({
    labels: reader.name(),
    type: reader.u16(),
    class: reader.u16(),
  }))
  const [answers, authorities, all] = counts.slice(1).map((n) => times(n, () => reader.record()))
  const opt = all!.find(({ type }) => type === TYPE.OPT)
  return {
    id,
    isResponse: (flags & 0x8000) !== 0,
    isAuthoritative: (flags & 0x0400) !== 0,
    isTruncated: (flags & 0x0200) !== 0,
    recursionAvailable: (flags & 0x0080) !== 0,
    rcode: (flags & 0x0f) | ((opt?.extendedRcode ?? 0) << 4),
    questions,
    answers: answers!,
    authorities: authorities!,
    additionals: all!.filter(({ type }) => type !== TYPE.OPT),
  }
}

/** Each item has at least one octet, so a wrong count ends with the message. */
const times = <T>(count: number, next: () => T): T[] => {
  const items: T[] = []
  while (items.length < count) items.push(next())
  return items
}

/** RFC 3597 section 4: only the rdata of these may hold compressed names, `before` octets from its start. */
const COMPRESSED: Record<number, { before: number; names: number }> = {
  [TYPE.NS]: { before: 0, names: 1 },
  [TYPE.CNAME]: { before: 0, names: 1 },
  [TYPE.SOA]: { before: 0, names: 2 },
  [TYPE.PTR]: { before: 0, names: 1 },
  [TYPE.MX]: { before: 2, names: 1 },
  [TYPE.RP]: { before: 0, names: 2 },
  [TYPE.AFSDB]: { before: 2, names: 1 },
  // RFC 3597 section 4: not to be sent compressed, but to be understood.
  [TYPE.SRV]: { before: 6, names: 1 },
  [TYPE.DNAME]: { before: 0, names: 1 },
}

class Reader {
  readonly #octets: Buffer
  #at = 0

  constructor(octets: Uint8Array) {
    this.#octets = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
    if (octets.length < HEADER_OCTETS) throw new RangeError('it is shorter than a header')
  }

  u16(): number {
    return this.take(2).readUInt16BE()
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#octets.length) throw new RangeError('the message ends too early')
    this.#at += length
    return this.#octets.subarray(this.#at - length, this.#at)
  }

  record(): MessageRecord & { extendedRcode: number } {
    const name = nameOf(this.name())
    const [type, qclass] = [this.u16(), this.u16()]
    const ttl = this.take(4)
    const length = this.u16()
    const end = this.#at + length
    const rdata = this.#rdata(type, end)
    const seconds = ttl.readInt32BE()
    return { name, type, class: qclass, ttl: Math.max(0, seconds), rdata, extendedRcode: ttl[0]! }
  }

  /** With its names uncompressed, so that it is valid outside of this message. */
  #rdata(type: number, end: number): Buffer {
    const { before, names } = COMPRESSED[type] ?? { before: end - this.#at, names: 0 }
    const parts = [this.take(Math.min(before, end - this.#at))]
    for (let left = names; left > 0; left--) parts.push(wireOf(this.name()))
    if (this.#at > end) throw new RangeError('the rdata is longer than it says')
    parts.push(this.take(end - this.#at))
    return Buffer.concat(parts)
  }

  name(): Buffer[] {
    const { labels, end } = labelsAt(this.#octets, this.#at)
    this.#at = end
    return labels
  }
}

const wireOf = (labels: readonly Buffer[]): Buffer =>
  Buffer.concat([...labels.flatMap((label) => [Buffer.of(label.length), label]), Buffer.of(0)])
