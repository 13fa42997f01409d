/**
 * The customer's own records in the hosted zone: those found where the name was served before, so that
 * changing the nameservers breaks nothing, and those added since. Pure.
 */
import { isWithin } from '#dns/name.ts'
import type { RRset, RRsetType } from '#drivers/zone/contract.ts'
import { absolute } from '#names/domain-name.ts'
import { isDmarc } from '#policy/dmarc.ts'
import { isSpf } from '#policy/spf.ts'

/** One value at one name; `name` is absolute, `value` the canonical text of its rdata. */
export type CustomerRecord = { name: string; type: RRsetType; value: string; ttl: number }

/** What customers' records may have, in seconds. */
export const TTL_S = { least: 60, most: 86_400 }

/** A TTL as customers' records may have it, in seconds. */
export const keptTtl = (ttl: number): number => Math.min(TTL_S.most, Math.max(TTL_S.least, ttl))

export const keyOf = ({ name, type, value }: CustomerRecord): string => `${name} ${type} ${value}`

/** Whether mail for the name goes to somebody else's server by this record. */
export const isMxOf = (name: string, record: CustomerRecord): boolean =>
  record.type === 'MX' && record.name === absolute(name)

/** A name has one SPF policy and one DMARC record, so ours and the customer's cannot stand side by side. */
export const isSpfOf = (name: string, { name: owner, type, value }: CustomerRecord): boolean =>
  type === 'TXT' && owner === absolute(name) && isSpf(value)
/** An alias to somebody who keeps the policy is one, too. */
export const isDmarcOf = (name: string, { name: owner, type, value }: CustomerRecord): boolean =>
  owner === absolute(`_dmarc.${name}`) && (type === 'CNAME' || (type === 'TXT' && isDmarc(value)))

/** Whether both cannot stand: an alias has no other data beside it (RFC 1034 section 3.6.2). */
export const excludes = (a: CustomerRecord, b: CustomerRecord): boolean =>
  a.name === b.name && (a.type === 'CNAME' || b.type === 'CNAME') && keyOf(a) !== keyOf(b)

/**
 * Whether a delegation would hide a name from everybody who asks (RFC 1034 section 4.2.1): it hands out
 * its own name and all below it. The apex of the zone is no such delegation.
 */
export const hides = (
  { name: cut, type }: Pick<CustomerRecord, 'name' | 'type'>,
  name: string,
  apex: string,
): boolean => type === 'NS' && cut !== apex && isWithin(name, cut)

/** Where records of ours stand, or will once there are any: none of these names may be delegated away. */
export const namesOfOurs = (name: string, ours: readonly { name: string }[]): string[] => [
  absolute(`_dmarc.${name}`),
  absolute(`any._domainkey.${name}`),
  ...ours.map((record) => record.name),
]

/** The zone with what the customer has in it, and without what was taken out. */
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
    // RFC 2181 section 5.2: an rrset has one TTL. It is the customer's where no value is another's.
    const ttl = Math.min(...theirs.map((record) => record.ttl))
    const isShared = there && data.length > theirs.length
    rrsets.set(key, { name, type, ttl: isShared ? there.ttl : ttl, data })
  }
  return [...rrsets.values()]
}
