/** Reads one zone from its blob: its nodes and their rrsets. Allocates nothing. */
import { TYPE } from '#dns/types.ts'
import type { WireName } from '../wire-name.ts'
import { ENTRY, FLAG, HEADER, i32, nodeHash, PACKED, RRSET, u16 } from './layout.ts'
import { unpackSoa } from './packed-soa.ts'
import { unpackTxt } from './packed-txt.ts'
import { offsetOf, type StoreView } from './view.ts'

/** Not found. */
export const NOWHERE = -1

const ASTERISK = 0x2a
const MAX_TARGETS_COMPARED = 64

export class ZoneReader {
  bytes: Buffer = Buffer.alloc(0)
  #at = 0
  readonly #wildcard = new Uint8Array(2 + 255)

  open(view: StoreView, position: number): void {
    this.bytes = view.slabOf(position)
    this.#at = offsetOf(position)
  }

  /** Opens a blob outside of the store. */
  openBlob(blob: Buffer): void {
    this.bytes = blob
    this.#at = 0
  }

  copy(other: ZoneReader): void {
    this.bytes = other.bytes
    this.#at = other.#at
  }

  has(flag: number): boolean {
    return (this.bytes[this.#at + HEADER.flags]! & flag) !== 0
  }

  /** The whole blob, as a view. */
  get blob(): Buffer {
    return this.bytes.subarray(this.#at, this.#at + i32(this.bytes, this.#at + HEADER.length))
  }

  get apexLength(): number {
    return this.bytes[this.#at + HEADER.apexLength]!
  }

  /** The node of a name's suffix at a label; the suffix lies in the zone. */
  nodeAt(name: WireName, label: number): number {
    const start = name.starts[label]!
    return this.#node(name.octets, start, name.length - this.apexLength - start)
  }

  /** The node of the wildcard directly below a name's suffix. */
  wildcardAt(name: WireName, label: number): number {
    if (!this.has(FLAG.wildcards)) return NOWHERE
    const wildcard = this.#wildcard
    const start = name.starts[label]!
    const length = name.length - this.apexLength - start
    wildcard[0] = 1
    wildcard[1] = ASTERISK
    for (let i = 0; i < length; i++) wildcard[2 + i] = name.octets[start + i]!
    return this.#node(wildcard, 0, 2 + length)
  }

  /** The node of the apex: its hash is the lowest, so it is the first. */
  get apexNode(): number {
    return this.#bodyOf(0) + 1
  }

  get nodes(): number {
    return i32(this.bytes, this.#at + HEADER.nodes)
  }

  /** The offset of a node's name, by its place in the table: a length octet, then the labels. */
  nameOfNode(place: number): number {
    return this.#bodyOf(place)
  }

  /** The rrset of a type at a node. */
  rrset(node: number, type: number): number {
    let at = node + 1
    for (let left = this.bytes[node]!; left > 0; left--) {
      if (u16(this.bytes, at + RRSET.type) === type) return at
      at = this.nextRRset(at)
    }
    return NOWHERE
  }

  firstRRset(node: number): number {
    return this.bytes[node]! > 0 ? node + 1 : NOWHERE
  }

  rrsetsOf(node: number): number {
    return this.bytes[node]!
  }

  nextRRset(rrset: number): number {
    return rrset + RRSET.records + u16(this.bytes, rrset + RRSET.length)
  }

  type(rrset: number): number {
    return u16(this.bytes, rrset + RRSET.type)
  }

  /** In seconds. */
  ttl(rrset: number): number {
    return i32(this.bytes, rrset + RRSET.ttl)
  }

  count(rrset: number): number {
    return u16(this.bytes, rrset + RRSET.count) & ~PACKED
  }

  isPacked(rrset: number): boolean {
    return (u16(this.bytes, rrset + RRSET.count) & PACKED) !== 0
  }

  /** The number of octets of a packed record's rdata. */
  unpackedOctets(record: number): number {
    return u16(this.bytes, record + 2)
  }

  /** Expands the rdata of a packed record. */
  unpack(rrset: number, record: number, into: Uint8Array, at: number): void {
    const { bytes } = this
    if (this.type(rrset) === TYPE.TXT) unpackTxt(bytes, record + 2, u16(bytes, record), into, at)
    else this.#unpackSoa(record + 2, into, at)
  }

  #unpackSoa(packed: number, into: Uint8Array, at: number): void {
    const ns = this.firstRecord(this.rrset(this.apexNode, TYPE.NS))
    const mnameLength = u16(this.bytes, ns)
    const apex = this.#at + HEADER.octets
    unpackSoa(this.bytes, packed, ns + 2, mnameLength, apex, this.apexLength, into, at)
  }

  /** Reads the name in a record's rdata behind `prefix` octets; false if there is none. */
  readTarget(record: number, prefix: number, into: WireName): boolean {
    const length = u16(this.bytes, record)
    const start = record + 2 + prefix
    return start < record + 2 + length && into.read(this.bytes, start, record + 2 + length)
  }

  firstRecord(rrset: number): number {
    return rrset + RRSET.records
  }

  nextRecord(record: number): number {
    return record + 2 + u16(this.bytes, record)
  }

  /** Whether two NS rrsets name the same hosts, in any order and case. */
  namesSameHosts(
    ns: number,
    other: ZoneReader,
    otherNs: number,
    a: WireName,
    b: WireName,
  ): boolean {
    return this.#namesAll(ns, other, otherNs, a, b) && other.#namesAll(otherNs, this, ns, a, b)
  }

  /** Whether this NS rrset names every host of the other. */
  #namesAll(ns: number, other: ZoneReader, otherNs: number, a: WireName, b: WireName): boolean {
    const count = other.count(otherNs)
    if (count > MAX_TARGETS_COMPARED || this.count(ns) > MAX_TARGETS_COMPARED) return false
    let record = other.firstRecord(otherNs)
    for (let i = 0; i < count; i++, record = other.nextRecord(record)) {
      other.readTarget(record, 0, a)
      if (!this.#names(ns, a, b)) return false
    }
    return true
  }

  #names(ns: number, host: WireName, scratch: WireName): boolean {
    const count = this.count(ns)
    let record = this.firstRecord(ns)
    for (let i = 0; i < count; i++, record = this.nextRecord(record)) {
      if (this.readTarget(record, 0, scratch) && scratch.equals(host)) return true
    }
    return false
  }

  /** The offset of the number of rrsets of the node with this name. */
  #node(octets: Uint8Array, from: number, length: number): number {
    const { bytes } = this
    const table = this.#table
    const hash = nodeHash(octets, from, length)
    let low = 0
    let high = this.nodes - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      let order = u16(bytes, table + ENTRY.octets * middle) - hash
      if (order === 0) {
        const node = this.#bodyOf(middle)
        order = compare(bytes, node, octets, from, length)
        if (order === 0) return node + 1 + length
      }
      if (order < 0) low = middle + 1
      else high = middle - 1
    }
    return NOWHERE
  }

  get #table(): number {
    return this.#at + HEADER.octets + this.bytes[this.#at + HEADER.apexLength]!
  }

  #bodyOf(node: number): number {
    return this.#at + i32(this.bytes, this.#table + ENTRY.octets * node + ENTRY.offset)
  }
}

function compare(
  bytes: Uint8Array,
  node: number,
  octets: Uint8Array,
  from: number,
  length: number,
): number {
  const difference = bytes[node]! - length
  if (difference !== 0) return difference
  for (let i = 0; i < length; i++) {
    const order = bytes[node + 1 + i]! - octets[from + i]!
    if (order !== 0) return order
  }
  return 0
}
