/** Encodes a zone as its blob. Leaves out and reports rrsets that cannot be served. */

import { nameToWire } from '#dns/name.ts'
import { type ServedRRset, toWireRRset, type WireRRset } from '#dns/rdata.ts'
import { TYPE } from '#dns/types.ts'
import type { ServedZone } from '../zone.ts'
import {
  compareNodes,
  ENTRY,
  FLAG,
  FORMAT,
  HEADER,
  nodeHash,
  PACKED,
  RRSET,
  setU16,
  setU32,
} from './layout.ts'
import { packSoa, soaOf } from './packed-soa.ts'
import { packTxt } from './packed-txt.ts'

export type Unserved = { name: string; type: string; reason: string }

export type EncodedZone = {
  blob: Uint8Array
  /** The rrsets that are not in the blob, and why. */
  unserved: readonly Unserved[]
}

export type EncodeOptions = {
  /** Whether queries for the name or one below it are reported. */
  isWaiting?: boolean
}

/** RFC 1035 section 4.2.2: a message has 65,535 octets, of which the rest needs some. */
const MAX_RRSET_OCTETS = 65_000
const RECORD_OCTETS_ON_THE_WIRE = 12
const MAX_TYPES_OF_A_NAME = 255

/** Names below the apex, as lowercase wire labels in latin1, '' for the apex; rrsets by type. */
type Nodes = Map<string, Map<number, WireRRset>>

/** Throws a RangeError when the apex or its nameservers are invalid. */
export function encodeZone(
  served: ServedZone,
  { isWaiting = false }: EncodeOptions = {},
): EncodedZone {
  const apex = lowercaseWire(served.apex)
  const nodes: Nodes = new Map([['', new Map()]])
  const unserved: Unserved[] = []
  for (const rrset of [...served.rrsets, ...dsOf(served)]) {
    if (rrset.data.length === 0) continue
    try {
      put(nodes, toWireRRset(rrset), apex)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      unserved.push({ name: rrset.name, type: rrset.type, reason })
    }
  }
  for (const rrset of apexOf(served)) put(nodes, toWireRRset(rrset), apex)
  const flags =
    FLAG.zone |
    (served.isUnconfirmed ? FLAG.unconfirmed : 0) |
    (isWaiting ? FLAG.waiting : 0) |
    ([...nodes].some(([name, node]) => name !== '' && node.has(TYPE.NS)) ? FLAG.cuts : 0) |
    ([...nodes.keys()].some((name) => name.startsWith('\x01*')) ? FLAG.wildcards : 0)
  return { blob: write(apex, flags, nodes), unserved }
}

/** The blob of a name that waits for a query and has no zone. Throws for an invalid name. */
export function encodeWaiting(name: string): Uint8Array {
  return write(lowercaseWire(name), FLAG.waiting, new Map())
}

/** The apex of a blob, as a lowercase wire name. */
export function apexOfBlob(blob: Uint8Array): Uint8Array {
  return blob.subarray(HEADER.octets, HEADER.octets + blob[HEADER.apexLength]!)
}

/** RFC 4343 section 3: only ASCII letters have a case. Lengths, being below 64, are unaffected. */
export function lowercaseWire(name: string): Buffer {
  return nameToWire(name).map((octet) =>
    octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet,
  ) as Buffer
}

function put(nodes: Nodes, rrset: WireRRset, apex: Buffer): void {
  const name = lowercaseWire(rrset.name)
  const starts = labelStarts(name)
  const below = starts.findIndex((start) => name.subarray(start).equals(apex))
  if (below === -1) throw new RangeError(`${rrset.name} is not in the zone`)
  const octets = rrset.records.reduce((sum, { octets }) => sum + octets.length, 0)
  if (octets + RECORD_OCTETS_ON_THE_WIRE * rrset.records.length > MAX_RRSET_OCTETS) {
    throw new RangeError(`${rrset.name} has more records than fit into a message`)
  }
  // RFC 4592 section 2.2.2: empty non-terminals exist too.
  const names = starts
    .slice(0, below + 1)
    .map((start) => name.toString('latin1', start, starts[below]))
  for (const each of names) if (!nodes.has(each)) nodes.set(each, new Map())
  const node = nodes.get(names[0]!)!
  if (node.size >= MAX_TYPES_OF_A_NAME) throw new RangeError(`${rrset.name} has too many types`)
  node.set(rrset.type, rrset)
}

/** The offset of each label, the root's last. */
function labelStarts(name: Buffer): number[] {
  const starts = [0]
  while (name[starts.at(-1)!]! > 0) starts.push(starts.at(-1)! + name[starts.at(-1)!]! + 1)
  return starts
}

function apexOf({ apex, nameservers, serial, ...ttls }: ServedZone): ServedRRset[] {
  const { negativeTtl = 60, nsTtl = 3600 } = ttls
  if (nameservers.length === 0) throw new RangeError(`No nameserver for ${apex}`)
  // RFC 2308 section 3: an absence lasts for the lesser of the SOA's TTL and minimum: set both alike.
  const soa = soaOf({ mname: nameservers[0]!, apex, serial, minimum: negativeTtl })
  return [
    { name: apex, type: 'SOA', ttl: negativeTtl, data: [soa] },
    { name: apex, type: 'NS', ttl: nsTtl, data: nameservers },
  ]
}

/** RFC 4035 section 2.4: the TTL of a DS is that of the delegation. */
function dsOf({ ds = [], rrsets, nsTtl = 3600 }: ServedZone): ServedRRset[] {
  const ttls = new Map(rrsets.filter(({ type }) => type === 'NS').map((ns) => [ns.name, ns.ttl]))
  return ds.map(({ name, data }) => ({ name, type: 'DS', ttl: ttls.get(name) ?? nsTtl, data }))
}

function write(apex: Buffer, flags: number, nodes: Nodes): Uint8Array {
  const hashed = [...nodes].map(([name, node]) => {
    return { name, node, hash: nodeHash(Buffer.from(name, 'latin1'), 0, name.length) }
  })
  const sorted = hashed.sort((a, b) => a.hash - b.hash || compareNodes(a.name, b.name))
  const bodies = sorted.map(({ name, node }) => nodeOctets(name, node, apex))
  const table = HEADER.octets + apex.length
  const start = table + ENTRY.octets * bodies.length
  const blob = new Uint8Array(start + bodies.reduce((sum, { length }) => sum + length, 0))
  setU32(blob, HEADER.length, blob.length)
  blob[HEADER.flags] = flags
  blob[HEADER.apexLength] = apex.length
  setU16(blob, HEADER.format, FORMAT)
  setU32(blob, HEADER.nodes, bodies.length)
  blob.set(apex, HEADER.octets)
  let at = start
  bodies.forEach((body, i) => {
    setU16(blob, table + ENTRY.octets * i + ENTRY.hash, sorted[i]!.hash)
    setU32(blob, table + ENTRY.octets * i + ENTRY.offset, at)
    blob.set(body, at)
    at += body.length
  })
  return blob
}

function nodeOctets(name: string, node: ReadonlyMap<number, WireRRset>, apex: Buffer): Buffer {
  const head = [Buffer.of(name.length), Buffer.from(name, 'latin1'), Buffer.of(node.size)]
  return Buffer.concat([
    ...head,
    ...[...node.values()].map((rrset) => rrsetOctets(rrset, packed(rrset, node, apex))),
  ])
}

/** The packed form of an rrset's only record, where it has one. */
function packed(
  { type, records }: WireRRset,
  node: ReadonlyMap<number, WireRRset>,
  apex: Buffer,
): Buffer | undefined {
  const [only, ...more] = records
  if (only === undefined || more.length > 0) return undefined
  if (type === TYPE.TXT) return packTxt(only.octets)
  const mname = node.get(TYPE.NS)?.records[0]?.octets
  return type === TYPE.SOA && mname ? packSoa(only.octets, mname, apex) : undefined
}

function rrsetOctets({ type, ttl, records }: WireRRset, packed: Buffer | undefined): Buffer {
  const stored = packed ? [packed] : records.map(({ octets }) => octets)
  const length = stored.reduce((sum, octets) => sum + 2 + octets.length, 0)
  const written = Buffer.alloc(RRSET.records + length)
  written.writeUInt16BE(type, RRSET.type)
  written.writeUInt32BE(ttl, RRSET.ttl)
  written.writeUInt16BE(records.length | (packed ? PACKED : 0), RRSET.count)
  written.writeUInt16BE(length, RRSET.length)
  let at: number = RRSET.records
  for (const octets of stored) {
    written.writeUInt16BE(octets.length, at)
    written.set(octets, at + 2)
    at += 2 + octets.length
  }
  return written
}
