/** Writes replies. Owner names are compressed against the question, and against nothing else. */

import { nameToWire, suffixesOf } from '#dns/name.ts'
import { type Edns, HEADER_OCTETS, type Query, type Question } from '#dns/query.ts'
import type { WireRRset } from '#dns/rdata.ts'
import { CLASS, TYPE } from '#dns/types.ts'
import type { Outcome } from './resolve.ts'

/** What fits into a UDP packet on every path, for us to receive and to send. */
export const UDP_SIZE = 1232

const QR = 0x8000
const AA = 0x0400
const TC = 0x0200
const DO = 0x8000

/** The reply in at most so many octets. */
export function writeReply(query: Query, outcome: Outcome, limit: number): Buffer {
  const encode = (rrsets: readonly WireRRset[]) =>
    rrsets.flatMap((rrset) => writeRRset(rrset, query.question))
  const opt = query.edns === undefined ? [] : [writeOpt(query.edns, outcome.rcode)]
  const answer = encode(outcome.answer)
  const authority = encode(outcome.authority)
  const needed = [...opt, ...encode(outcome.glue)]

  const room = limit - HEADER_OCTETS - (query.question?.octets.length ?? 0)
  const left = room - sizeOf([...answer, ...authority, ...needed])
  // RFC 2181 section 9: TC says that something needed is missing. RFC 9471 section 3.1: glue is needed.
  if (left < 0) return assemble(query, outcome, TC, [[], [], opt])
  const helpful = whatFits(
    outcome.additional.map((rrset) => encode([rrset])),
    left,
  )
  return assemble(query, outcome, 0, [answer, authority, [...needed, ...helpful]])
}

/** RFC 2181 section 5: an rrset is sent whole or not at all. */
function whatFits(rrsets: readonly Buffer[][], room: number): Buffer[] {
  const fitting: Buffer[] = []
  for (const records of rrsets) {
    if (sizeOf(fitting) + sizeOf(records) <= room) fitting.push(...records)
  }
  return fitting
}

function assemble(
  query: Query,
  outcome: Outcome,
  truncated: number,
  sections: readonly Buffer[][],
): Buffer {
  const header = Buffer.alloc(HEADER_OCTETS)
  const authoritative = outcome.isAuthoritative ? AA : 0
  header.writeUInt16BE(query.id, 0)
  // RFC 1035 section 4.1.1: opcode and RD as they came; RA stays 0, for we do not recurse.
  header.writeUInt16BE(QR | query.flags | authoritative | truncated | (outcome.rcode & 0x0f), 2)
  header.writeUInt16BE(query.question === undefined ? 0 : 1, 4)
  sections.forEach((records, i) => {
    header.writeUInt16BE(records.length, 6 + 2 * i)
  })
  return Buffer.concat([header, query.question?.octets ?? Buffer.alloc(0), ...sections.flat()])
}

function writeRRset({ name, type, ttl, records }: WireRRset, question?: Question): Buffer[] {
  const owner = writeOwner(name, question?.offsets)
  return records.map(({ octets }) => {
    const fixed = Buffer.alloc(10)
    fixed.writeUInt16BE(type, 0)
    fixed.writeUInt16BE(CLASS.IN, 2)
    fixed.writeUInt32BE(ttl, 4)
    fixed.writeUInt16BE(octets.length, 8)
    return Buffer.concat([owner, fixed, octets])
  })
}

/** RFC 1035 section 4.1.4. A pointer to the question also repeats the letter case of whoever asked. */
function writeOwner(name: string, offsets: ReadonlyMap<string, number> = new Map()): Buffer {
  const suffix = suffixesOf(name).find((suffix) => offsets.has(suffix))
  if (suffix === undefined) return nameToWire(name)
  const pointer = Buffer.alloc(2)
  pointer.writeUInt16BE(0xc000 | offsets.get(suffix)!)
  if (suffix === name) return pointer
  const labels = nameToWire(name.slice(0, -suffix.length)).subarray(0, -1)
  return Buffer.concat([labels, pointer])
}

/** RFC 6891 section 6.1: our UDP size as class; extended RCODE, version 0 and flags as TTL. */
function writeOpt({ isDnssecOk }: Edns, rcode: number): Buffer {
  const opt = Buffer.alloc(11)
  opt.writeUInt16BE(TYPE.OPT, 1)
  opt.writeUInt16BE(UDP_SIZE, 3)
  opt.writeUInt8(rcode >> 4, 5)
  // RFC 3225 section 3: DO is copied.
  opt.writeUInt16BE(isDnssecOk ? DO : 0, 7)
  return opt
}

function sizeOf(buffers: readonly Buffer[]): number {
  return buffers.reduce((sum, { length }) => sum + length, 0)
}
