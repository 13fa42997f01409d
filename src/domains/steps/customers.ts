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

/** By whether the zone host can hold them: each value by itself, and what is left of an rrset as a whole. */
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

/** Puts and takes out the customer's values; leaves alone what is ours, and what others put. */
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
  // What the customer takes out may be what we put in as well: then it stays.
  const gone = unwanted.filter((record) => !ours.some((own) => keyOf(own) === keyOf(record)))
  const desired = withCustomers(current, standing, [...gone, ...replaced, ...refused])
  const changes = planZone(current, desired)
  if (changes.length > 0) await ports.zone.changeZone(domain.claim, changes, signal)
  // Until then, what was found may still be served to whoever comes here early.
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
 * Once an SPF policy of ours is published, the customer's is part of it. Where bounces come back to, ours gives
 * way, and an alias cannot stand there before it has.
 */
function isReplaced(record: CustomerRecord, ours: readonly OwnedRecord[], name: string): boolean {
  if (ours.some((own) => isOfBounces(own) && own.name === record.name)) return true
  return (
    isSpfOf(name, record) &&
    ours.some(({ purpose }) => purpose === 'spf') &&
    !ours.some(({ value }) => value === record.value)
  )
}

/** What of the customer's own bears on the records of mail. */
export type CustomersMail = {
  mx: readonly CustomerRecord[]
  spf: readonly CustomerRecord[]
  hasDmarc: boolean
  all: readonly CustomerRecord[]
  /** Those that the zone host does not hold, so that nobody is answered with them. */
  refused: readonly RefusedRecord[]
}

export async function customersMail({ domain, ports, needs }: Pass): Promise<CustomersMail> {
  const { wanted } = await ports.customers.list(domain)
  const ours = [...needs.values()]
    .flat()
    .flatMap(({ data, ...rest }) => data.map((value) => keyOf({ ...rest, value })))
  return {
    // Mail that comes to us by a record of the customer's comes to us.
    mx: wanted.filter((record) => isMxOf(domain.name, record) && !ours.includes(keyOf(record))),
    spf: wanted.filter((record) => isSpfOf(domain.name, record)),
    hasDmarc: wanted.some((record) => isDmarcOf(domain.name, record)),
    all: wanted,
    refused: heldByHost(ports.zone, wanted).refused,
  }
}
