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

/** `database` names the database and its history: another value means that no mark of it holds. */
export type Changes = { names: readonly string[]; mark: string; database: string }

/**
 * A page of the names touched since `mark` ('0' for all) that come after `after`, in the order of the
 * database; and the mark to ask from the next time, once all pages are read: that of the first page.
 *
 * A dump that was restored into another cluster brings transaction numbers that are still to come there.
 * They are read with all names, and are not taken for changes ever after.
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

/** Another cluster, another database in it, a table made anew by a restore, or a history of its own. */
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

const SET_UP: readonly string[] = ['PENDING', 'DNS_CONFIGURING', 'DNS_PENDING']
const AWAITED: readonly string[] = [...SET_UP, 'FAILED']

/** Of a status, what bears on how the name is served and on who is woken. */
export const servedAs = (status: string): 'set up' | 'awaited' | 'settled' =>
  SET_UP.includes(status) ? 'set up' : AWAITED.includes(status) ? 'awaited' : 'settled'

/** What is served for a name, and who is woken by a query for it. */
export async function readServedNames(
  db: Database,
  names: readonly string[],
): Promise<ServedName[]> {
  if (names.length === 0) return []
  const { zones, waiting, found } = await byIndexes(db, async (tx) => {
    const zones = chosenOf(await zonesNamed(tx, names))
    const early = [...zones.values()].filter(({ holder }) => holder === null)
    const found = await foundElsewhere(
      tx,
      early.map(({ name }) => name),
    )
    return { zones, waiting: await waitingFor(tx, names), found }
  })
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

/**
 * Names are looked up by indexes, whatever Postgres expects. Where many rows were added and not analyzed yet,
 * as after a restore, it would rather read whole tables for every page of names.
 */
export function byIndexes<Result>(
  db: Database,
  ask: (tx: Queryable) => Promise<Result>,
): Promise<Result> {
  return db.transaction().execute(async (tx) => {
    await sql`select set_config(name, 'off', true)
      from (values ('enable_seqscan'), ('enable_hashjoin'), ('enable_mergejoin')) s (name)`.execute(
      tx,
    )
    return ask(tx)
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

type ZoneRow = Awaited<ReturnType<typeof zonesNamed>>[number]

/**
 * The names as a table to join with: of a list of a thousand parameters Postgres expects so many rows
 * that it reads whole tables.
 */
export const asked = (names: readonly string[]) =>
  sql<{ name: string }>`unnest(${[...names]}::text[])`.as<'asked'>(sql`asked (name)`)

/** The oldest claim first. */
const zonesNamed = (db: Queryable, names: readonly string[]) =>
  db
    .selectFrom(asked(names))
    .innerJoin('zones as z', 'z.name', 'asked.name')
    .innerJoin('claims as c', 'c.id', 'z.claim_id')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .leftJoin('holders as h', (join) =>
      join.onRef('h.name', '=', 'z.name').onRef('h.world', '=', 'z.world'),
    )
    .select(['z.name', 'z.claim_id', 'z.nameservers', 'z.rrsets', 'z.serial'])
    .select(['c.points_at_pool', 'd.status', 'h.claim_id as holder'])
    .orderBy('c.created_at')
    .execute()

const waitingFor = (db: Queryable, names: readonly string[]) =>
  db
    .selectFrom(asked(names))
    .innerJoin('domains as d', 'd.name', 'asked.name')
    .select(['d.id', 'd.name'])
    .where('d.removed_at', 'is', null)
    .where((is) =>
      is.or([
        is('d.status', 'in', SET_UP),
        is.and([is('d.status', '=', 'FAILED'), is.not(is.exists(delegationMet))]),
        is('d.removal_requested_at', 'is not', null),
      ]),
    )
    .execute()

/** Whose failure lies elsewhere is tried again when somebody says so, not whenever its name is asked for. */
const delegationMet = sql`(select from conditions k
  where k.domain_id = d.id and k.type = 'delegated' and k.verdict = 'met')`

/**
 * The holder's zone; without a holder that of the oldest claim being set up, unless the parent shows
 * names of the pool that are not its pair: then someone else's delegation may be meant.
 */
const chooseZone = (candidates: readonly ZoneRow[]): ZoneRow | undefined =>
  candidates.find((zone) => zone.claim_id === zone.holder) ??
  candidates.find(
    ({ holder, points_at_pool, status }) =>
      holder === null && !points_at_pool && SET_UP.includes(status),
  )

/**
 * The holder's zone whole. An unconfirmed one with nothing but what the name serves elsewhere: whoever is
 * led here before we have seen the delegation must not be told that it is not there.
 */
function servedZone(
  { name, nameservers, serial, rrsets, holder }: ZoneRow,
  found: readonly RRset[],
): ServedZone {
  const isUnconfirmed = holder === null
  return {
    apex: absolute(name),
    nameservers: nameservers.map(absolute),
    serial: Number(serial),
    rrsets: isUnconfirmed ? found : rrsets,
    isUnconfirmed,
  }
}

/** What is not confirmed should not be remembered long. */
const EARLY_TTL_S = 300

/**
 * What the latest import of these names found, whoever asked for it, and whatever its workspace has made
 * of it since: the claims on a name are of different hands, but what it serves in public is the same.
 */
async function foundElsewhere(
  db: Queryable,
  names: readonly string[],
): Promise<Map<string, readonly RRset[]>> {
  if (names.length === 0) return new Map()
  const { rows } = await sql<CustomerRecord & { domain: string }>`
    select d.name as domain, r.name, r.type, r.value, least(r.ttl, ${EARLY_TTL_S}) as ttl
      from (select distinct on (name) id, name from domains d
             where name = any(${[...names]}) and status = any(${[...SET_UP]})
               and removal_requested_at is null and exists (
                 select from customer_records where domain_id = d.id and origin = 'imported')
             order by name, created_at desc) d
      join customer_records r on r.domain_id = d.id and r.origin = 'imported'`.execute(db)
  const found = Map.groupBy(rows, ({ domain }) => domain)
  return new Map([...found].map(([name, records]) => [name, withCustomers([], records, [])]))
}
