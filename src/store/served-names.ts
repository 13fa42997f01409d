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
  await sql`insert into served_names (name) values (${name}) ${ELSE_TOUCH}`.execute(tx)
}

/**
 * Ends an insert into served_names. The serial belongs to the name and not to a claim on it: it goes up by
 * one with every change of what is served, also when another claim's zone is, or none for a while. The
 * row is locked until the change is committed, so serials are in the order of the changes.
 */
export const ELSE_TOUCH = sql`on conflict (name) do update
  set changed = pg_current_xact_id(), serial = served_names.serial + 1`

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
  const [zones, waiting] = await Promise.all([zonesNamed(db, names), waitingFor(db, names)])
  const chosen = names.map((name) => chooseZone(zones.filter((zone) => zone.name === name)))
  const early = chosen.flatMap((zone) => (zone && zone.holder === null ? zone.name : []))
  const found = await foundElsewhere(db, early)
  return names.map((name, index) => ({
    name,
    waiting: waiting.filter((domain) => domain.name === name).map(({ id }) => id),
    zone: chosen[index] && servedZone(chosen[index], found.get(name) ?? []),
  }))
}

type ZoneRow = Awaited<ReturnType<typeof zonesNamed>>[number]

/**
 * The oldest claim first. The serial is read in the same statement: with it, and never before it, goes what
 * is served.
 */
const zonesNamed = (db: Database, names: readonly string[]) =>
  db
    .selectFrom('zones as z')
    .innerJoin('claims as c', 'c.id', 'z.claim_id')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .leftJoin('holders as h', (join) =>
      join.onRef('h.name', '=', 'z.name').onRef('h.world', '=', 'z.world'),
    )
    .innerJoin('served_names as s', 's.name', 'z.name')
    .select(['z.name', 'z.world', 'z.claim_id', 'z.nameservers', 'z.rrsets', 's.serial'])
    .select(['c.points_at_pool', 'd.status', 'h.claim_id as holder'])
    .where('z.name', 'in', [...names])
    .orderBy('c.created_at')
    .execute()

const waitingFor = (db: Database, names: readonly string[]) =>
  db
    .selectFrom('domains as d')
    .select(['d.id', 'd.name'])
    .where('d.name', 'in', [...names])
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
    // The world outside knows nothing of the sandbox.
    ...(world === 'live' ? { memberId: claim_id } : {}),
  }
}

// RFC 1982: serials are compared modulo 2^32; ours only ever count up by one.
const wireSerial = (serial: string): number => Number(BigInt(serial) % 2n ** 32n)

/** What is not confirmed should not be remembered long. */
const EARLY_TTL_S = 300

/**
 * What the latest import of these names found, whoever asked for it, and whatever its workspace has made
 * of it since: the claims on a name are of different hands, but what it serves in public is the same.
 */
async function foundElsewhere(
  db: Database,
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
