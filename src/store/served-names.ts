/**
 * What our nameservers need to know about each name, and which names have changed. A name is touched
 * in the transaction that changes anything about it; a reader asks for all names touched by transactions
 * it may not have seen yet, so a late commit is never skipped.
 */
import { sql } from 'kysely'
import type { CustomerRecord } from '#domains/customer-records.ts'
import type { AskedDomain, ZonedClaim } from '#domains/serving.ts'
import type { RRset } from '#drivers/zone/contract.ts'
import type { Database, Queryable } from './database.ts'
import type { WorldName } from './tables.ts'

export async function touchName(tx: Queryable, name: string): Promise<void> {
  await sql`insert into served_names (name) values (${name}) ${ON_CONFLICT_TOUCH}`.execute(tx)
}

/**
 * Ends an insert into served_names. The serial belongs to the name, not to a claim: every change of what is
 * served raises it by one, also a change to another claim's zone or to none. The row is locked until commit,
 * so serials are in the order of the changes.
 */
export const ON_CONFLICT_TOUCH = sql`on conflict (name) do update
  set changed = pg_current_xact_id(), serial = served_names.serial + 1`

/** `database` identifies the database and its history: a mark of another database is void. */
export type Changes = { names: readonly string[]; mark: string; database: string }

/**
 * A page of the names touched since `mark` ('0' for all), after the name `after`, in the database's order;
 * and the mark for the next read, once all pages are read: that of the first page.
 *
 * A dump restored into another cluster brings transaction numbers that are in the future there. They are read
 * with all names, and do not count as changes forever.
 */
export async function changedNames(
  db: Database,
  mark: string,
  { after, limit }: { after: string; limit: number },
): Promise<Changes> {
  const { rows } = await sql<{ name: string | null; mark: string; database: string }>`
    select s.name, m.mark::text, m.database
      from (select pg_snapshot_xmin(pg_current_snapshot()) as mark,
                   pg_snapshot_xmax(pg_current_snapshot()) as next,
                   ${identity} as database) m
      left join lateral (
        select name from served_names
         where changed >= ${mark}::xid8 and name > ${after}
           and (changed < m.next or ${mark}::xid8 = '0'::xid8)
         order by name limit ${limit}::int) s on true`.execute(db)
  const { mark: next, database } = rows[0]!
  return { names: rows.flatMap(({ name }) => name ?? []), mark: next, database }
}

/** Differs for another cluster, database, restored table or history. */
const identity = sql`concat_ws('/',
  (select system_identifier from pg_control_system()),
  (select timeline_id from pg_control_checkpoint()),
  (select oid from pg_database where datname = current_database()),
  'served_names'::regclass::oid)`

/** A zone with what decides whether it is served. `serial` counts the changes of the name. */
export type ZoneRow = ZonedClaim & {
  name: string
  world: WorldName
  nameservers: readonly string[]
  rrsets: readonly RRset[]
  serial: string
}

/**
 * The oldest claim first. The same statement reads the serial, so content never changes without it. Each name
 * has its own index lookups: `offset 0` keeps Postgres from joins, which read whole tables that lack
 * statistics, as after a restore. A second condition on a table stands outside, so that no other index is
 * chosen.
 */
export async function zonesNamed(
  db: Database,
  names: readonly string[],
): Promise<readonly ZoneRow[]> {
  const { rows } = await sql<ZoneRow>`
    select z.name, z.world, z.claim_id as "claimId", z.nameservers, z.rrsets, s.serial,
           c.points_at_pool as "pointsAtPool", d.status, h.claim_id as holder
      from unnest(${[...names]}::text[]) asked (name)
      cross join lateral (select serial from served_names where name = asked.name offset 0) s
      cross join lateral (select * from zones where name = asked.name offset 0) z
      cross join lateral (select * from claims where id = z.claim_id offset 0) c
      cross join lateral (select status from domains where id = c.domain_id offset 0) d
      left join lateral (
        select claim_id from holders where name = z.name and world = z.world offset 0) h on true
     order by c.created_at`.execute(db)
  return rows
}

export type DomainNamed = AskedDomain & { id: string; name: string }

/** The domains of these names, looked up as zones are. */
export async function domainsNamed(
  db: Database,
  names: readonly string[],
): Promise<readonly DomainNamed[]> {
  const { rows } = await sql<DomainNamed>`
    select d.id, d.name, d.status, d.removal_requested_at is not null as "isBeingRemoved",
           d.status = 'FAILED' and exists (
             select from conditions k
              where k.domain_id = d.id and k.type = 'delegated' and k.verdict = 'met' offset 0) as "isDelegated"
      from unnest(${[...names]}::text[]) asked (name)
      cross join lateral (select * from domains where name = asked.name offset 0) d
     where d.removed_at is null`.execute(db)
  return rows
}

/**
 * What the latest import of these names found, for any claim whose domain has one of the statuses, and without
 * later edits. The claims have different owners, but the public data of the name is the same.
 */
export async function importedAt(
  db: Database,
  names: readonly string[],
  statuses: readonly string[],
): Promise<ReadonlyMap<string, readonly CustomerRecord[]>> {
  if (names.length === 0) return new Map()
  const { rows } = await sql<CustomerRecord & { domain: string }>`
    select asked.name as domain, r.name, r.type, r.value, r.ttl
      from unnest(${[...names]}::text[]) asked (name)
      cross join lateral (
        select id from (select * from domains where name = asked.name offset 0) d
         where status = any(${[...statuses]}) and removal_requested_at is null
           and exists (select from customer_records
                        where domain_id = d.id and origin = 'imported' offset 0)
         order by created_at desc limit 1) d
      cross join lateral (
        select * from customer_records
         where domain_id = d.id and origin = 'imported' offset 0) r`.execute(db)
  return Map.groupBy(rows, ({ domain }) => domain)
}
