/** Part of zone_ready and records_published: the customer's own records are in the zone. */
import type { RRset, ZoneDriver } from '#drivers/zone/contract.ts'
import {
  type CustomerRecord,
  isDmarcOf,
  isMxOf,
  isSpfOf,
  keyOf,
  withCustomers,
} from '../customer-records.ts'
import { isOfBounces } from '../desired-records.ts'
import { planZone } from '../plan.ts'
import type { OwnedRecord } from '../ports.ts'
import type { Pass } from '../step.ts'

/** A record that the zone host does not hold, and why. */
export type RefusedRecord = CustomerRecord & { why: string }

/** Splits records by whether the zone host can hold them: each value alone, then the rest of its rrset. */
export function heldByHost(
  { objectionTo }: Pick<ZoneDriver, 'objectionTo'>,
  records: readonly CustomerRecord[],
): { held: readonly CustomerRecord[]; refused: readonly RefusedRecord[] } {
  const judged = [...Map.groupBy(records, ({ name, type }) => `${name} ${type}`).values()].map(
    (group) => {
      const alone = group.map((record) => ({ ...record, why: objectionTo(rrsetOf([record])) }))
      const fine = group.filter((_, i) => alone[i]!.why === undefined)
      const together = fine.length > 0 ? objectionTo(rrsetOf(fine)) : undefined
      return alone.map((record) => ({ ...record, why: record.why ?? together }))
    },
  )
  const { held = [], refused = [] } = Object.groupBy(judged.flat(), ({ why }) =>
    why === undefined ? 'held' : 'refused',
  )
  return {
    held: held.map(({ why: _, ...record }) => record),
    refused: refused.map((record) => ({ ...record, why: record.why! })),
  }
}

const rrsetOf = (records: readonly CustomerRecord[]): RRset => {
  const { name, type } = records[0]!
  const ttl = Math.min(...records.map((record) => record.ttl))
  return { name, type, ttl, data: records.map(({ value }) => value) }
}

/** Publishes and removes the customer's values; leaves ours and others' values alone. */
export async function publishCustomers(pass: Pass): Promise<void> {
  const { domain, ports, signal } = pass
  if (!domain.hasOwnRecords) return
  const { wanted, unwanted } = await ports.customers.list(domain)
  const current = await ports.zone.readZone(domain.claim, signal)
  if (current === undefined) return
  const ours = await ports.records.list(domain)
  const { held, refused } = heldByHost(ports.zone, wanted)
  const replaced = held.filter((record) => isReplaced(record, ours, domain.name))
  const standing = held.filter((record) => !replaced.includes(record))
  // A value that the customer removes stays if it is also ours.
  const gone = unwanted.filter((record) => !ours.some((own) => keyOf(own) === keyOf(record)))
  const desired = withCustomers(current, standing, [...gone, ...replaced, ...refused])
  const changes = planZone(current, desired)
  if (changes.length > 0) await ports.zone.changeZone(domain.claim, changes, signal)
  // Until then, imported records may still be served to early queries.
  if (domain.activatedAt) await ports.customers.forget(domain, absentFrom(current, gone))
}

const absentFrom = (current: readonly RRset[], records: readonly CustomerRecord[]) =>
  records.filter(
    ({ name, type, value }) =>
      !current.some(
        (each) => each.name === name && each.type === type && each.data.includes(value),
      ),
  )

/**
 * The customer's SPF policy is part of ours, once that is published. A record at the bounce name waits
 * until ours there is gone, because a CNAME cannot coexist.
 */
function isReplaced(record: CustomerRecord, ours: readonly OwnedRecord[], name: string): boolean {
  if (ours.some((own) => isOfBounces(own) && own.name === record.name)) return true
  return (
    isSpfOf(name, record) &&
    ours.some(({ purpose }) => purpose === 'spf') &&
    !ours.some(({ value }) => value === record.value)
  )
}

/** The customer's own records that affect mail. */
export type CustomersMail = {
  mx: readonly CustomerRecord[]
  spf: readonly CustomerRecord[]
  hasDmarc: boolean
  all: readonly CustomerRecord[]
  /** Records that the zone host does not hold, so they are not served. */
  refused: readonly RefusedRecord[]
}

export async function customersMail({ domain, ports, needs }: Pass): Promise<CustomersMail> {
  const { wanted } = await ports.customers.list(domain)
  const ours = [...needs.values()]
    .flat()
    .flatMap(({ data, ...rest }) => data.map((value) => keyOf({ ...rest, value })))
  return {
    // A customer's MX that equals ours brings mail here already.
    mx: wanted.filter((record) => isMxOf(domain.name, record) && !ours.includes(keyOf(record))),
    spf: wanted.filter((record) => isSpfOf(domain.name, record)),
    hasDmarc: wanted.some((record) => isDmarcOf(domain.name, record)),
    all: wanted,
    refused: heldByHost(ports.zone, wanted).refused,
  }
}
