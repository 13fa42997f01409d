/**
 * The format of a zone in memory and on disk: one blob without addresses or seeded hashes in it, so that
 * it can be copied anywhere. All numbers are big-endian, as on the wire.
 *
 *   header   length u32 · capacity u32 (of the allocation; 0 elsewhere) · flags u8 · apex octets u8 ·
 *            format u16 · number of nodes u32
 *   apex     lowercase wire name, root octet included
 *   table    for each node the hash of its name u16 and the offset of its start u32, ordered by hash,
 *            then by `compareNodes`; so a look-up by halves touches one node, whatever names were chosen
 *   node     octets of the name u8 · labels below the apex, lowercase · number of rrsets u8 · rrsets
 *   rrset    type u16 · TTL u32 · number of records u16, with `PACKED` if there is one and it is packed
 *            (packed-txt.ts, packed-soa.ts) · octets of the records u16 · records
 *   record   octets of the rdata u16 · rdata
 */

export const FORMAT = 1

export const HEADER = {
  length: 0,
  capacity: 4,
  flags: 8,
  apexLength: 9,
  format: 10,
  nodes: 12,
  octets: 16,
} as const

export const FLAG = {
  /** The blob holds a zone; without this flag, the name only waits for a query. */
  zone: 1,
  unconfirmed: 2,
  waiting: 4,
  /** NS below the apex. */
  cuts: 8,
  /** A name whose first label is `*`. */
  wildcards: 16,
} as const

export const RRSET = { type: 0, ttl: 2, count: 6, length: 8, records: 10 } as const

/** No rrset that fits into a message has so many records that it needs this bit. */
export const PACKED = 0x8000

/** Positions count units of 16 octets, and a slab has 2^22 units at most: 64 MiB. */
export const UNIT_BITS = 4
export const SLAB_UNIT_BITS = 22

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** As a signed number: stored values are below 2^31, or only copied. */
export function i32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function setU32(bytes: Uint8Array, at: number, value: number): void {
  setU16(bytes, at, value >>> 16)
  setU16(bytes, at + 2, value)
}

/** An entry of the table. */
export const ENTRY = { hash: 0, offset: 2, octets: 6 } as const

/** The hash of a name below the apex. The hash of the apex is 0, and no other name has it. */
export function nodeHash(octets: Uint8Array, from: number, length: number): number {
  if (length === 0) return 0
  let hash = length
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ octets[from + i]!, 0x01000193)
  return (hash ^ (hash >>> 16)) & 0xffff || 1
}

/** Orders names of the same hash, given as octets in latin1. */
export function compareNodes(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length
  return a < b ? -1 : a > b ? 1 : 0
}
