/**
 * What our authoritative servers answer for each name, and which names have changed. A name is
 * touched in the transaction that changes anything about it; a reader asks for all names touched by
 * transactions it may not have seen yet, so a late commit is never skipped.
 */
import { sql } from 'kysely'
import { type CustomerRecord, withCustomers } from '#domains/customer-records.ts'
import { SET_UP } from '#domains/serving.ts'
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute } from '#names/domain-name.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import type { Database, Queryable } from './database.ts'
import type { WorldName } from './tables.ts'

export async function touchName(tx: Queryable, name: string): Promise<void> {
  await sql`insert into served_names (name) values (${name}) ${ELSE_TOUCH}`.execute(tx)
}

/**
 * Ends an insert into served_names. The serial belongs to the name, not to a claim: every change of what is
 * served raises it by one, also a change to another claim's zone or to none. The row is locked until commit,
 * so serials are in the order of the changes.
 */
export const ELSE_TOUCH = sql`on conflict (name) do update
  set changed = pg_current_xact_id(), serial = served_names.serial + 1`

/** `database` identifies the database and its history: if it differs, the mark is void. */
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

export type ServedName = {
  name: string
  zone: ServedZone | undefined
  /** Domains of this name that wait for a delegation to come or go: a query for it wakes them. */
  waiting: readonly string[]
}

/** What is served for a name, and the domains that a query for it wakes. */
export async function readServedNames(
  db: Database,
  names: readonly string[],
): Promise<ServedName[]> {
  if (names.length === 0) return []
  const [rows, waiting] = await Promise.all([zonesNamed(db, names), waitingFor(db, names)])
  const zones = chosenOf(rows)
  const early = [...zones.values()].filter(({ holder }) => holder === null)
  const found = await foundElsewhere(
    db,
    early.map(({ name }) => name),
  )
  const waitingOf = Map.groupBy(waiting, ({ name }) => name)
  return names.map((name) => {
    const zone = zones.get(name)
    return {
      name,
      waiting: (waitingOf.get(name) ?? []).map(({ id }) => id),
      zone: zone && servedZone(zone, found.get(name) ?? []),
    }
  })
}

function chosenOf(rows: readonly ZoneRow[]): Map<string, ZoneRow> {
  const chosen = new Map<string, ZoneRow>()
  for (const [name, candidates] of Map.groupBy(rows, ({ name }) => name)) {
    const zone = chooseZone(candidates)
    if (zone) chosen.set(name, zone)
  }
  return chosen
}

type ZoneRow = {
  name: string
  world: WorldName
  claim_id: string
  nameservers: readonly string[]
  rrsets: readonly RRset[]
  serial: string
  points_at_pool: boolean
  status: string
  holder: string | null
}

/**
 * The oldest claim first. The same statement reads the serial, so content never changes without it. Each name
 * has its own index lookups: `offset 0` keeps Postgres from joins, which read whole tables that lack
 * statistics, as after a restore. A second condition on a table stands outside, so that no other index is
 * chosen.
 */
async function zonesNamed(db: Database, names: readonly string[]): Promise<readonly ZoneRow[]> {
  const { rows } = await sql<ZoneRow>`
    select z.name, z.world, z.claim_id, z.nameservers, z.rrsets, s.serial, c.points_at_pool, d.status,
           h.claim_id as holder
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

/** Domains to wake at a query for their names; looked up as zones are. */
async function waitingFor(db: Database, names: readonly string[]) {
  const { rows } = await sql<{ id: string; name: string }>`
    select d.id, d.name
      from unnest(${[...names]}::text[]) asked (name)
      cross join lateral (select * from domains where name = asked.name offset 0) d
     where d.removed_at is null
       and (d.status = any(${[...SET_UP]})
         or (d.status = 'FAILED' and not exists ${delegationMet})
         or d.removal_requested_at is not null)`.execute(db)
  return rows
}

/** A domain that failed at another stage is retried on request only, not by a query for its name. */
const delegationMet = sql`(select from conditions k
  where k.domain_id = d.id and k.type = 'delegated' and k.verdict = 'met' offset 0)`

/**
 * The holder's zone; without a holder, that of the oldest claim being set up, unless the parent shows pool
 * names of another pair: that may be another claim's delegation.
 */
const chooseZone = (candidates: readonly ZoneRow[]): ZoneRow | undefined =>
  candidates.find((zone) => zone.claim_id === zone.holder) ??
  candidates.find(
    ({ holder, points_at_pool, status }) =>
      holder === null && !points_at_pool && SET_UP.includes(status),
  )

/**
 * The holder's zone is served whole. An unconfirmed one has only what the name serves elsewhere: resolvers
 * that come before we see the delegation must not get negative answers.
 */
function servedZone(
  { name, world, claim_id, nameservers, serial, rrsets, holder }: ZoneRow,
  found: readonly RRset[],
): ServedZone {
  const isUnconfirmed = holder === null
  return {
    apex: absolute(name),
    nameservers: nameservers.map(absolute),
    serial: wireSerial(serial),
    rrsets: isUnconfirmed ? found : rrsets,
    isUnconfirmed,
    // The catalog holds no sandbox zones.
    ...(world === 'live' ? { memberId: claim_id } : {}),
  }
}

// RFC 1982: serials are compared modulo 2^32; ours only ever count up by one.
const wireSerial = (serial: string): number => Number(BigInt(serial) % 2n ** 32n)

/** Unconfirmed zones get a short ttl. */
const EARLY_TTL_S = 300

/**
 * What the latest import of these names found, for any claim and without later edits: the claims have
 * different owners, but the public data of the name is the same.
 */
async function foundElsewhere(
  db: Database,
  names: readonly string[],
): Promise<Map<string, readonly RRset[]>> {
  if (names.length === 0) return new Map()
  const { rows } = await sql<CustomerRecord & { domain: string }>`
    select asked.name as domain, r.name, r.type, r.value, least(r.ttl, ${EARLY_TTL_S}) as ttl
      from unnest(${[...names]}::text[]) asked (name)
      cross join lateral (
        select id from (select * from domains where name = asked.name offset 0) d
         where status = any(${[...SET_UP]}) and removal_requested_at is null
           and exists (select from customer_records
                        where domain_id = d.id and origin = 'imported' offset 0)
         order by created_at desc limit 1) d
      cross join lateral (
        select * from customer_records
         where domain_id = d.id and origin = 'imported' offset 0) r`.execute(db)
  const found = Map.groupBy(rows, ({ domain }) => domain)
  return new Map([...found].map(([name, records]) => [name, withCustomers([], records, [])]))
}
