/**
 * What our authoritative servers answer for each name, and which names have changed. A name is
 * touched in the transaction that changes anything about it; a reader asks for all names touched by
 * transactions it may not have seen yet, so a late commit is never skipped.
 */
import { sql } from 'kysely'
import { type CustomerRecord, withCustomers } from '#domains/customer-records.ts'
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute } from '#names/domain-name.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import type { Database, Queryable } from './database.ts'

export async function touchName(tx: Queryable, name: string): Promise<void> {
  await sql`insert into served_names (name) values (${name})
    on conflict (name) do update set changed = pg_current_xact_id()`.execute(tx)
}

export type Changes = { names: readonly string[]; mark: string }

/** The names touched since `mark` ('0' for all), and the mark to ask from the next time. */
export async function changedNames(db: Database, mark: string): Promise<Changes> {
  const { rows } = await sql<{ name: string | null; mark: string }>`
    select s.name, m.mark
      from (select pg_snapshot_xmin(pg_current_snapshot())::text as mark) m
      left join served_names s on s.changed >= ${mark}::xid8`.execute(db)
  return { names: rows.flatMap(({ name }) => name ?? []), mark: rows[0]!.mark }
}

export type ServedName = {
  name: string
  zone: ServedZone | undefined
  /** Domains of this name that wait for a delegation to come or go: a query for it wakes them. */
  waiting: readonly string[]
}

const AWAITED: readonly string[] = ['PENDING', 'DNS_CONFIGURING', 'DNS_PENDING']

/** Whether a domain in that status waits for its delegation. */
export const isAwaited = (status: string): boolean => AWAITED.includes(status)

/**
 * The holder's zone whole. Without a holder the oldest claim's, with nothing but what was found where
 * the name is served: whoever is led here before we have seen the delegation must not be told that it
 * is not there. Unless the parent shows names of the pool that are not that claim's pair: then someone
 * else's delegation may be meant.
 */
export async function readServedNames(
  db: Database,
  names: readonly string[],
): Promise<ServedName[]> {
  const zones = await db
    .selectFrom('zones as z')
    .innerJoin('claims as c', 'c.id', 'z.claim_id')
    .leftJoin('holders as h', (join) =>
      join.onRef('h.name', '=', 'z.name').onRef('h.world', '=', 'z.world'),
    )
    .select([
      'z.name',
      'z.claim_id',
      'z.nameservers',
      'z.rrsets',
      'z.serial',
      'c.points_at_pool',
      'c.domain_id',
      'h.claim_id as holder',
    ])
    .where('z.name', 'in', names.length > 0 ? [...names] : [''])
    .orderBy('c.created_at')
    .execute()
  const waiting = await db
    .selectFrom('domains as d')
    .select(['d.id', 'd.name'])
    .where('d.name', 'in', names.length > 0 ? [...names] : [''])
    .where('d.removed_at', 'is', null)
    .where((is) =>
      is.or([is('d.status', 'in', AWAITED), is('d.removal_requested_at', 'is not', null)]),
    )
    .execute()
  const found = await importedOf(
    db,
    zones.flatMap(({ holder, domain_id }) => (holder === null ? domain_id : [])),
  )
  return names.map((name) => {
    const candidates = zones.filter((zone) => zone.name === name)
    const held = candidates.find((zone) => zone.claim_id === zone.holder)
    const early = candidates.find((zone) => zone.holder === null && !zone.points_at_pool)
    const chosen = held ?? early
    return {
      name,
      waiting: waiting.filter((domain) => domain.name === name).map(({ id }) => id),
      zone: chosen && {
        apex: absolute(name),
        nameservers: chosen.nameservers.map(absolute),
        serial: Number(chosen.serial),
        rrsets: chosen === held ? chosen.rrsets : (found.get(chosen.domain_id) ?? []),
      },
    }
  })
}

/** What the names of these domains served before they came here, by the ids of the domains. */
async function importedOf(
  db: Database,
  domainIds: readonly string[],
): Promise<Map<string, readonly RRset[]>> {
  if (domainIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('customer_records')
    .select(['domain_id', 'name', 'type', 'value', 'ttl'])
    .where('domain_id', 'in', [...domainIds])
    .where('origin', '=', 'imported')
    .where('removed_at', 'is', null)
    .execute()
  const records = Map.groupBy(rows, ({ domain_id }) => domain_id)
  return new Map(
    [...records].map(([id, theirs]) => [id, withCustomers([], theirs as CustomerRecord[], [])]),
  )
}
