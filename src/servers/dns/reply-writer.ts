/**
 * Writes a reply into memory that exists already. Owner names are compressed against the question only.
 */

import { HEADER_OCTETS } from '#dns/query.ts'
import { CLASS, TYPE } from '#dns/types.ts'
import type { Query } from './question.ts'
import { RRSET, setU16, u16 } from './store/layout.ts'
import type { ZoneReader } from './store/zone-reader.ts'
import type { WireName } from './wire-name.ts'

/** What fits into a UDP packet on every path, in both directions. */
export const UDP_SIZE = 1232

export const SECTION = { answer: 6, authority: 8, additional: 10 } as const
export type Section = (typeof SECTION)[keyof typeof SECTION]

const QR = 0x8000
const AA = 0x0400
const TC = 0x0200
const DO = 0x8000
const OPT_OCTETS = 11
const POINTER = 0xc000
/** Above this, a native copy costs less than a loop. */
const MAX_OCTETS_COPIED_ONE_BY_ONE = 32
/** Type, class, TTL and the length of the rdata. */
const FIXED_OCTETS = 10

export class ReplyWriter {
  #out: Uint8Array = new Uint8Array()
  #start = 0
  #at = 0
  #end = 0
  /** The offset behind the question. */
  #bodyStart = 0
  #query: Query
  /** Set when required data did not fit. */
  isTooLong = false
  isAuthoritative = false
  rcode = 0

  constructor(query: Query) {
    this.#query = query
  }

  /** Begins a reply of at most `limit` octets, which repeats the query's question, if it was readable. */
  begin(
    message: Uint8Array,
    messageStart: number,
    out: Uint8Array,
    start: number,
    limit: number,
  ): void {
    this.#out = out
    this.#start = start
    this.#end = Math.min(start + limit, out.length)
    this.isTooLong = false
    this.isAuthoritative = false
    this.rcode = this.#query.rcode
    this.#at = start + HEADER_OCTETS
    out.fill(0, start + 4, this.#at)
    if (this.#query.hasQuestion) {
      out[start + 5] = 1
      for (let i = messageStart + HEADER_OCTETS; i < this.#query.questionEnd; i++) {
        out[this.#at++] = message[i]!
      }
    }
    this.#bodyStart = this.#at
  }

  /**
   * An rrset owned by a name's suffix at a label. It is required: if it does not fit, the reply is
   * truncated.
   */
  needed(section: Section, name: WireName, label: number, zone: ZoneReader, rrset: number): void {
    if (!this.#rrset(section, name, label, zone, rrset)) this.isTooLong = true
  }

  /** RFC 2181 section 5: an rrset is sent whole or not at all. */
  helpful(name: WireName, label: number, zone: ZoneReader, rrset: number): void {
    if (!this.isTooLong) this.#rrset(SECTION.additional, name, label, zone, rrset)
  }

  /** RFC 6891 section 6.1: our UDP size as class; extended RCODE, version 0 and flags as TTL. */
  opt(option: Uint8Array | undefined): void {
    const out = this.#out
    const rdlength = option?.length ?? 0
    if (this.#at + OPT_OCTETS + rdlength > this.#end) {
      this.isTooLong = true
      return
    }
    const at = this.#at
    out.fill(0, at, at + OPT_OCTETS)
    setU16(out, at + 1, TYPE.OPT)
    setU16(out, at + 3, UDP_SIZE)
    out[at + 5] = this.rcode >> 4
    // RFC 3225 section 3: DO is copied.
    setU16(out, at + 7, this.#query.isDnssecOk ? DO : 0)
    setU16(out, at + 9, rdlength)
    for (let i = 0; i < rdlength; i++) out[at + OPT_OCTETS + i] = option![i]!
    this.#at += OPT_OCTETS + rdlength
    this.#count(SECTION.additional, 1)
  }

  /**
   * Empties all sections. RFC 2181 section 9: TC says that required data is missing.
   * RFC 9471 section 3.1: glue is required.
   */
  rewind(): void {
    this.#at = this.#bodyStart
    this.#out.fill(0, this.#start + 6, this.#start + HEADER_OCTETS)
  }

  /** Writes the header; returns the length of the reply. */
  finish(): number {
    const out = this.#out
    const start = this.#start
    setU16(out, start, this.#query.id)
    // RFC 1035 section 4.1.1: opcode and RD as in the query; RA is 0, because we do not recurse.
    const flags =
      QR |
      this.#query.flags |
      (this.isAuthoritative ? AA : 0) |
      (this.isTooLong ? TC : 0) |
      (this.rcode & 0x0f)
    setU16(out, start + 2, flags)
    return this.#at - start
  }

  #rrset(
    section: Section,
    name: WireName,
    label: number,
    zone: ZoneReader,
    rrset: number,
  ): boolean {
    const start = this.#at
    const { bytes } = zone
    const count = zone.count(rrset)
    const type = zone.type(rrset)
    const ttl = rrset + RRSET.ttl
    const isPacked = zone.isPacked(rrset)
    let record = zone.firstRecord(rrset)
    for (let i = 0; i < count; i++) {
      const stored = u16(bytes, record)
      const length = isPacked ? zone.unpackedOctets(record) : stored
      if (!this.#owner(name, label) || this.#at + FIXED_OCTETS + length > this.#end) {
        this.#at = start
        return false
      }
      this.#fixed(type, bytes, ttl, length)
      if (isPacked) zone.unpack(rrset, record, this.#out, this.#at)
      else this.#rdata(bytes, record + 2, length)
      this.#at += length
      record += 2 + stored
    }
    this.#count(section, count)
    return true
  }

  #fixed(type: number, bytes: Uint8Array, ttl: number, length: number): void {
    const out = this.#out
    const at = this.#at
    setU16(out, at, type)
    setU16(out, at + 2, CLASS.IN)
    for (let i = 0; i < 4; i++) out[at + 4 + i] = bytes[ttl + i]!
    setU16(out, at + 8, length)
    this.#at = at + FIXED_OCTETS
  }

  #rdata(bytes: Buffer, from: number, length: number): void {
    const out = this.#out
    const at = this.#at
    if (length > MAX_OCTETS_COPIED_ONE_BY_ONE) bytes.copy(out, at, from, from + length)
    else for (let i = 0; i < length; i++) out[at + i] = bytes[from + i]!
  }

  /** RFC 1035 section 4.1.4. A pointer to the question also keeps the query's letter case. */
  #owner(name: WireName, label: number): boolean {
    const asked = this.#query.name
    let shared = label
    let pointed = 0
    if (name === asked) pointed = label
    else {
      while (shared < name.labels && !this.#isInQuestion(name, shared)) shared++
      pointed = asked.labels - (name.labels - shared)
    }
    const hasPointer = shared < name.labels
    const end = hasPointer ? name.starts[shared]! : name.length
    const length = end - name.starts[label]!
    if (this.#at + length + (hasPointer ? 2 : 0) > this.#end) return false
    for (let i = name.starts[label]!; i < end; i++) this.#out[this.#at++] = name.octets[i]!
    if (hasPointer) {
      setU16(this.#out, this.#at, POINTER | (HEADER_OCTETS + asked.starts[pointed]!))
      this.#at += 2
    }
    return true
  }

  #isInQuestion(name: WireName, label: number): boolean {
    const asked = this.#query.name
    const askedLabel = asked.labels - (name.labels - label)
    return askedLabel >= 0 && name.hasSuffix(label, asked, askedLabel)
  }

  #count(section: Section, records: number): void {
    const at = this.#start + section
    setU16(this.#out, at, u16(this.#out, at) + records)
  }
}
