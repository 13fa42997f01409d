/** Writes the messages of a transfer one at a time, each with as many records as fit. */
import { nameToWire } from '#dns/name.ts'
import { type Edns, HEADER_OCTETS, type Query, type Question } from '#dns/query.ts'
import { CLASS, RCODE, TYPE } from '#dns/types.ts'
import type { TransferRRset } from './source.ts'

/** Pointers reach no further (RFC 1035 section 4.1.4), and it bounds a client's memory. */
const MESSAGE_OCTETS = 16_384
const MAX_MESSAGE_OCTETS = 65_535
const OPT_UDP_SIZE = 1232

const QR = 0x8000
const AA = 0x0400
const TC = 0x0200
const POINTER_TO_QUESTION = Buffer.of(0xc0, HEADER_OCTETS)

/** What all messages of a reply have in common. */
export type Frame = {
  query: Query & { question: Question }
  /** Octets reserved for a signature. */
  signatureOctets: number
}

/** Each record in wire form, its owner compressed against the question. */
export function* recordsOf(rrsets: Iterable<TransferRRset>, question: string): Generator<Buffer> {
  const apex = nameToWire(question)
  for (const { name, type, ttl, records } of rrsets) {
    const owner = ownerOf(nameToWire(name), apex)
    for (const { octets } of records) {
      const fixed = Buffer.alloc(10)
      fixed.writeUInt16BE(type, 0)
      fixed.writeUInt16BE(CLASS.IN, 2)
      fixed.writeUInt32BE(ttl, 4)
      fixed.writeUInt16BE(octets.length, 8)
      yield Buffer.concat([owner, fixed, octets])
    }
  }
}

/** The question is the apex, and every owner lies at or below it. */
function ownerOf(name: Buffer, apex: Buffer): Buffer {
  return Buffer.concat([name.subarray(0, name.length - apex.length), POINTER_TO_QUESTION])
}

/** RFC 5936 section 2.2: each message has the question, AA, and the records that fit. */
export function* messagesOf(frame: Frame, records: Iterable<Buffer>): Generator<Buffer> {
  const { query, signatureOctets } = frame
  const fixed = HEADER_OCTETS + query.question.octets.length + optOf(query.edns).length
  const room = MESSAGE_OCTETS - fixed - signatureOctets
  const mostRoom = MAX_MESSAGE_OCTETS - fixed - signatureOctets
  let batched: Buffer[] = []
  let size = 0
  for (const record of records) {
    if (record.length > mostRoom) throw new RangeError('A record too long for any message')
    if (size > 0 && size + record.length > room) {
      yield write(query, AA, RCODE.NOERROR, batched)
      batched = []
      size = 0
    }
    batched.push(record)
    size += record.length
  }
  yield write(query, AA, RCODE.NOERROR, batched)
}

/** A reply without records, with an RCODE. */
export function emptyReply(query: Query, rcode: number): Buffer {
  return write(query, 0, rcode, [])
}

/** A reply that makes the client ask over TCP. */
export function truncatedReply(query: Query): Buffer {
  return write(query, TC, RCODE.NOERROR, [])
}

function write(query: Query, flags: number, rcode: number, answers: readonly Buffer[]): Buffer {
  const opt = optOf(query.edns)
  const header = Buffer.alloc(HEADER_OCTETS)
  header.writeUInt16BE(query.id, 0)
  header.writeUInt16BE(QR | query.flags | flags | rcode, 2)
  header.writeUInt16BE(query.question === undefined ? 0 : 1, 4)
  header.writeUInt16BE(answers.length, 6)
  header.writeUInt16BE(opt.length > 0 ? 1 : 0, 10)
  return Buffer.concat([header, query.question?.octets ?? Buffer.alloc(0), ...answers, opt])
}

/** RFC 6891 section 7: a query with an OPT gets a reply with one. */
function optOf(edns: Edns | undefined): Buffer {
  if (edns === undefined) return Buffer.alloc(0)
  const opt = Buffer.alloc(11)
  opt.writeUInt16BE(TYPE.OPT, 1)
  opt.writeUInt16BE(OPT_UDP_SIZE, 3)
  return opt
}
