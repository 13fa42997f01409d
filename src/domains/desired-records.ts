/** Computes the records that a zone must contain: those of the mail services, and our own. Pure. */

import { isIPv4, isIPv6 } from 'node:net'
import type { NeededRecord } from '#drivers/records.ts'
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute, relative } from '#names/domain-name.ts'
import { type DmarcPolicy, dmarcRecord } from '#policy/dmarc.ts'
import { isSpf, mergeSpf } from '#policy/spf.ts'
import type { OwnedRecord } from './ports.ts'

export const RECORD_TTL_S = 300

/** Returns one record for each value. Merges the SPF policies of a name, and drops duplicates. */
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

/** The address records of a redirect, at the domain itself and at `www`. */
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

/** Whether mail works without the record, though less well. */
export const isOptional = ({ purpose }: { purpose: string }): boolean =>
  purpose === 'redirect' || purpose === 'bounce'

/**
 * Omits redirect records at names where others have addresses, a CNAME or a delegation: a shared name would
 * redirect only some visitors. Omits bounce records at names where others have anything.
 */
export function withoutConflicting(
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
      (rrset) =>
        rrset.name === name && (purpose === 'bounce' || VISITOR_TYPES.includes(rrset.type)),
    )
  return wanted.filter((record) => !isOptional(record) || !isTaken(record))
}

/** The types that decide which web server a visitor reaches. */
const VISITOR_TYPES: readonly string[] = ['A', 'AAAA', 'CNAME', 'NS']

/** A name has one SPF and one DMARC record: SPF policies are merged, our DMARC record wins. */
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
 * The desired zone: the current one without our former values, with our wanted ones. Values of others at
 * the same name and type stay.
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
