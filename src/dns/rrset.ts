/**
 * An rrset: all records of one name and type (RFC 9499 section 4). Plans and changes are of rrsets.
 */
import { nameOfType, numberOfType, TYPE } from './types.ts'

/** The types whose rdata has its own presentation format here. */
// biome-ignore format: a list
const NAMED_TYPES = [
  'A', 'AAAA', 'CAA', 'CNAME', 'DS', 'HTTPS', 'MX', 'NAPTR', 'NS', 'PTR', 'SRV', 'SSHFP', 'SVCB', 'TLSA', 'TXT',
] as const
export type NamedType = (typeof NAMED_TYPES)[number]

/** RFC 3597 section 5: any other type has a number for a name, and its rdata is in hexadecimal. */
export type RRsetType = NamedType | `TYPE${number}`

export const isNamedType = (type: string): type is NamedType =>
  NAMED_TYPES.some((named) => named === type)

/**
 * Types that no rrset of a hosted zone can have: QTYPEs and meta-types (RFC 6895 section 3.1), the
 * types of DNSSEC signers, types for the apex only, and DNAME, which the nameserver does not
 * support.
 */
// biome-ignore format: a list
const NOT_HELD: ReadonlySet<number> = new Set([
  0, TYPE.SOA, TYPE.DNAME, TYPE.OPT, TYPE.RRSIG, TYPE.NSEC, TYPE.DNSKEY, TYPE.NSEC3, TYPE.NSEC3PARAM, TYPE.CDS,
  TYPE.CDNSKEY, TYPE.CSYNC, TYPE.ZONEMD, 24, 30, 0xffff,
])
const isMeta = (number: number): boolean => number >= 128 && number <= 255

/**
 * Reads a type: its name in any case, or `TYPE` and its number. A type in `NAMED_TYPES` gets its
 * name. Undefined for a type in `NOT_HELD`.
 */
export function rrsetTypeOf(written: string): RRsetType | undefined {
  const number = numberOfType(written)
  if (number === undefined || NOT_HELD.has(number) || isMeta(number)) return undefined
  const name = nameOfType(number)
  return isNamedType(name) ? name : `TYPE${number}`
}

/** Whether the text is the canonical name of an rrset type. */
export const isRRsetType = (type: string): type is RRsetType => rrsetTypeOf(type) === type

/**
 * All records of one name and type. `name` is absolute, lowercase, with a trailing dot and its odd
 * octets escaped; `ttl` is in seconds; `data` is what `canonicalRdata` makes of each value.
 */
export type RRset = { name: string; type: RRsetType; ttl: number; data: readonly string[] }
