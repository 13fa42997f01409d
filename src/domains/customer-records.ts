/**
 * The customer's own records in the hosted zone: imported ones, so that changing the nameservers breaks
 * nothing, and later ones. Pure.
 */
import { isWithin } from '#dns/name.ts'
import type { RRset, RRsetType } from '#drivers/zone/contract.ts'
import { absolute } from '#names/domain-name.ts'
import { isDmarc } from '#policy/dmarc.ts'
import { isSpf } from '#policy/spf.ts'

/** One value at one name; `name` is absolute, `value` the canonical text of its rdata. */
export type CustomerRecord = { name: string; type: RRsetType; value: string; ttl: number }

/** The limits of customers' TTLs, in seconds. */
export const TTL_S = { least: 60, most: 86_400 }

/** The TTL within those limits, in seconds. */
export const clampTtl = (ttl: number): number => Math.min(TTL_S.most, Math.max(TTL_S.least, ttl))

export const keyOf = ({ name, type, value }: CustomerRecord): string => `${name} ${type} ${value}`

/** Whether the record is an MX of the name. */
export const isMxOf = (name: string, record: CustomerRecord): boolean =>
  record.type === 'MX' && record.name === absolute(name)

/** A name has one SPF policy and one DMARC record, so ours and the customer's cannot coexist. */
export const isSpfOf = (name: string, { name: owner, type, value }: CustomerRecord): boolean =>
  type === 'TXT' && owner === absolute(name) && isSpf(value)
/** A CNAME to a policy kept elsewhere counts too. */
export const isDmarcOf = (name: string, { name: owner, type, value }: CustomerRecord): boolean =>
  owner === absolute(`_dmarc.${name}`) && (type === 'CNAME' || (type === 'TXT' && isDmarc(value)))

/** RFC 1034 section 3.6.2: a CNAME has no other data beside it. */
export const standsAlone = ({ type }: Pick<CustomerRecord, 'type'>): boolean => type === 'CNAME'

/** Whether both cannot coexist. */
export const excludes = (a: CustomerRecord, b: CustomerRecord): boolean =>
  a.name === b.name && (standsAlone(a) || standsAlone(b)) && keyOf(a) !== keyOf(b)

/**
 * Whether a delegation would hide a name from resolvers (RFC 1034 section 4.2.1): it covers its own name
 * and all below it. The NS rrset of the apex is no delegation.
 */
export const hides = (
  { name: cut, type }: Pick<CustomerRecord, 'name' | 'type'>,
  name: string,
  apex: string,
): boolean => type === 'NS' && cut !== apex && isWithin(name, cut)

/** The names that have, or will have, records of ours: none may be delegated away. */
export const namesOfOurs = (name: string, ours: readonly { name: string }[]): string[] => [
  absolute(`_dmarc.${name}`),
  absolute(`any._domainkey.${name}`),
  ...ours.map((record) => record.name),
]

/** The zone with the customer's wanted records, without the unwanted ones. */
export function withCustomers(
  current: readonly RRset[],
  wanted: readonly CustomerRecord[],
  unwanted: readonly CustomerRecord[],
): RRset[] {
  const gone = new Set(unwanted.map(keyOf))
  for (const record of wanted) gone.delete(keyOf(record))
  const rrsets = new Map<string, RRset>()
  for (const rrset of current) {
    const data = rrset.data.filter((value) => !gone.has(keyOf({ ...rrset, value })))
    if (data.length > 0) rrsets.set(`${rrset.name} ${rrset.type}`, { ...rrset, data })
  }
  for (const [key, theirs] of Map.groupBy(wanted, ({ name, type }) => `${name} ${type}`)) {
    const { name, type } = theirs[0]!
    const there = rrsets.get(key)
    const data = [...new Set([...(there?.data ?? []), ...theirs.map(({ value }) => value)])]
    // RFC 2181 section 5.2: an rrset has one TTL. It is the customer's if all values are.
    const ttl = Math.min(...theirs.map((record) => record.ttl))
    const isShared = there && data.length > theirs.length
    rrsets.set(key, { name, type, ttl: isShared ? there.ttl : ttl, data })
  }
  return [...rrsets.values()]
}
