/** What the zone must contain: merges what the mail services ask for, and adds what is our own. Pure. */

import { isIPv4, isIPv6 } from 'node:net'
import type { NeededRecord } from '#drivers/records.ts'
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute, relative } from '#names/domain-name.ts'
import { type DmarcPolicy, dmarcRecord } from '#policy/dmarc.ts'
import { isSpf, mergeSpf } from '#policy/spf.ts'
import type { OwnedRecord } from './ports.ts'

export const RECORD_TTL_S = 300

/** One entry a value. SPF policies at one name become one; equal values are named once. */
export function desiredRecords(
  name: string,
  needed: readonly NeededRecord[],
  dmarc: { policy: DmarcPolicy; reportsTo: string },
): OwnedRecord[] {
  const own: NeededRecord = {
    name: absolute(`_dmarc.${name}`),
    type: 'TXT',
    ttl: RECORD_TTL_S,
    data: [dmarcRecord(dmarc.policy, dmarc.reportsTo)],
    purpose: 'dmarc',
  }
  const byKey = Map.groupBy(
    [...needed, own].flatMap(valuesOf),
    (record) => keyOfOnly(record) ?? `${record.name} ${record.type} ${record.value}`,
  )
  return [...byKey.values()].map((same) => ({ ...same.at(-1)!, value: mergedValue(same) }))
}

/** Where the web server for a domain's redirect is found: at the domain itself and at `www`. */
export function redirectRecords(name: string, addresses: readonly string[]): NeededRecord[] {
  const types = { A: addresses.filter(isIPv4), AAAA: addresses.filter(isIPv6) }
  return [name, `www.${name}`].flatMap((host) =>
    Object.entries(types)
      .filter(([, data]) => data.length > 0)
      .map(([type, data]) => ({
        name: absolute(host),
        type: type as 'A' | 'AAAA',
        ttl: RECORD_TTL_S,
        data,
        purpose: 'redirect' as const,
      })),
  )
}

export const isOfRedirect = ({ purpose }: OwnedRecord): boolean => purpose === 'redirect'

export const isOfBounces = ({ purpose }: OwnedRecord): boolean => purpose === 'bounce'

/** Mail is sent and received without it, if not as well. */
export const isOptional = ({ purpose }: { purpose: string }): boolean =>
  purpose === 'redirect' || purpose === 'bounce'

/**
 * A redirect gives way to what somebody else put at its name: addresses of their own, an alias, a
 * delegation. Theirs was there first, and half a redirect is none. So do the records of bounces, to anything.
 */
export function givingWay(
  wanted: readonly OwnedRecord[],
  current: readonly RRset[],
  former: readonly OwnedRecord[],
): OwnedRecord[] {
  const ours = [...former, ...wanted]
  const isForeign = (rrset: RRset) =>
    rrset.data.some((value) => !ours.some((record) => isValueOf(record, rrset, value)))
  const foreign = current.filter(isForeign)
  const isTaken = ({ name, purpose }: OwnedRecord) =>
    foreign.some(
      (rrset) => rrset.name === name && (purpose === 'bounce' || LEADING.includes(rrset.type)),
    )
  return wanted.filter((record) => !isOptional(record) || !isTaken(record))
}

/** What leads visitors of a name somewhere. */
const LEADING: readonly string[] = ['A', 'AAAA', 'CNAME', 'NS']

/** Of SPF and DMARC a name has one record: SPF policies are merged, of DMARC ours is taken. */
function keyOfOnly({ name, purpose }: OwnedRecord): string | undefined {
  return purpose === 'spf' || purpose === 'dmarc' ? `${purpose} ${name}` : undefined
}

function valuesOf({ name, type, ttl, data, purpose }: NeededRecord): OwnedRecord[] {
  return data.map((value) => ({ name, type, value, ttl, purpose, status: 'pending', observed: [] }))
}

function mergedValue(same: readonly OwnedRecord[]): string {
  const { name, purpose, value } = same.at(-1)!
  const values = same.map((record) => record.value)
  return purpose === 'spf' && values.every(isSpf) ? mergeSpf(values, relative(name)) : value
}

/**
 * The zone as it should be: what is there, less the values that were ours, plus those that are. What
 * others put at the same name and type stays.
 */
export function desiredZone(
  current: readonly RRset[],
  former: readonly OwnedRecord[],
  wanted: readonly OwnedRecord[],
): RRset[] {
  const rrsets = new Map<string, RRset>()
  for (const rrset of current) {
    const foreign = rrset.data.filter(
      (value) => !former.some((record) => isValueOf(record, rrset, value)),
    )
    if (foreign.length > 0) rrsets.set(keyOf(rrset), { ...rrset, data: foreign })
  }
  for (const record of wanted) {
    const there = rrsets.get(keyOf(record))?.data ?? []
    const data = there.includes(record.value) ? there : [...there, record.value]
    rrsets.set(keyOf(record), { name: record.name, type: record.type, ttl: record.ttl, data })
  }
  return [...rrsets.values()]
}

const keyOf = ({ name, type }: { name: string; type: string }): string => `${name} ${type}`

const isValueOf = (record: OwnedRecord, rrset: RRset, value: string): boolean =>
  record.name === rrset.name && record.type === rrset.type && record.value === value
