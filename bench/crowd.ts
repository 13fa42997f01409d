/**
 * Many domains that wait below one parent, whose query rate is limited: how soon a delegation is seen,
 * how soon a new domain is looked at, and whether the limit is kept, by the parent's own log. The
 * domains are not to be activated: only looking is measured.
 */
import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Client as Postgres } from 'pg'
import { delegationLookMs } from '#domains/cadence.ts'
import { nameserverPool } from '#domains/claims.ts'
import { judge } from '#domains/delegation.ts'
import { makeApiKey } from '#names/api-key.ts'
import { FIRST_WORKSPACE } from '#store/api-keys.ts'
import { newId } from '../src/ids.ts'
import { LABORATORY } from '../test/api/live.ts'
import { type Client, until } from '../test/client.ts'
import { testDatabase } from '../test/database.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { startProduct } from '../test/product.ts'
import { figure, target } from './figures.ts'
import { mostInASecond, type Parent, type Question, startParent } from './parent.ts'
import { printTable } from './table.ts'

const CROWD = 10_000
const OLDEST_MS = 600_000
const SERVERS = 13
const BUDGET = 20

/** Until the looks reach their steady rate. */
const WARM_UP_MS = 30_000
const MEASURED_MS = 120_000
const AFTER_MS = 120_000
const PUBLISHED = 200
const ADDED = 20

const TARGET_SEEN_P50_MS = 30_000
const TARGET_FIRST_LOOK_MS = 5000

const PAIR = nameserverPool(LABORATORY.MAILSTEAD_NAMESERVER_ZONE, ['127.0.0.1'])
  .slice(0, 2)
  .map(({ name }) => name)

/** A time for each name. */
type Moments = ReadonlyMap<string, number>

export async function crowd(signal: AbortSignal): Promise<void> {
  await using parent = await startParent(SERVERS)
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const settings = {
    ...LABORATORY,
    DATABASE_URL: database.url,
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('live'),
    MAILSTEAD_LOG_LEVEL: 'warn',
    MAILSTEAD_PARENT_QUERIES_PER_SECOND: String(BUDGET),
    MAILSTEAD_ROOT_HINTS: parent.endpoints.join(),
    MAILSTEAD_WAIT_MS: '5000',
  }
  const db = new Postgres(database.connection)
  await db.connect()
  try {
    figure(`crowd: ${CROWD} domains wait below ${SERVERS} servers; milliseconds`)
    await fill(db)
    await using product = await startProduct({ dataDir: directory.path, settings })
    await delay(WARM_UP_MS, undefined, { signal })
    const measuredFrom = Date.now()
    const [published, added] = await Promise.all([
      publishSome(parent, signal),
      addSome(product.client, signal),
    ])
    const measured = { from: measuredFrom, to: Date.now() }
    reportSeen(published, await untilSeen(db))
    reportAdded(added, parent.log, await seenTimes(db, 'not_published'))
    reportBudget(parent.log, measured)
  } finally {
    await db.end()
  }
}

const nameOf = (index: number): string => `crowd-${index}.test`

/** Domains that were just looked at in vain, as the product leaves them; the oldest last. */
async function fill(db: Postgres): Promise<void> {
  const now = Date.now()
  const rows = Array.from({ length: CROWD }, (_, index) => {
    const ageMs = (OLDEST_MS * index) / CROWD
    return {
      id: newId(),
      claim: newId(),
      name: nameOf(index),
      asked: new Date(now - ageMs),
      next: new Date(now + Math.random() * delegationLookMs(ageMs, 2000)),
      report: judge(NOT_THERE, { name: nameOf(index), pair: PAIR, pool: PAIR }, new Date(now)),
    }
  })
  await db.query('insert into workspaces (id, name) values ($1, $2)', [FIRST_WORKSPACE, 'crowd'])
  await db.query(FILL, [JSON.stringify(rows), FIRST_WORKSPACE, PAIR])
  await db.query('vacuum analyze')
}

const NOT_THERE = {
  parent: '',
  serverCount: 1,
  answers: [
    {
      name: 'root',
      address: '127.0.13.1',
      transport: 'udp' as const,
      outcome: 'nxdomain' as const,
      nameservers: [],
      ds: [],
      authoritative: true,
      ttl: null,
      ms: 1,
    },
  ],
}

// With an epoch of zero they would count as never looked at.
const FILL = `
  with crowd as (
    select * from jsonb_to_recordset($1)
      as t (id uuid, claim uuid, name text, asked timestamptz, next timestamptz, report jsonb)),
  d as (
    insert into domains (id, workspace_id, world, name, status, zone_driver, sender_driver,
                         mailbox_driver, may_activate, created_at, asked_at, delegation, next_at, epoch)
    select id, $2, 'live', name, 'DNS_PENDING', 'embedded', 'embedded', 'embedded', false,
           asked, asked, report, next, 1
      from crowd),
  c as (
    insert into claims (id, domain_id, workspace_id, world, name, nameservers, created_at)
    select claim, id, $2, 'live', name, $3, asked from crowd),
  p as (
    insert into placements (claim_id, stage, driver) select claim, 'zone_ready', 'embedded' from crowd),
  z as (
    insert into zones (claim_id, world, name, nameservers) select claim, 'live', name, $3 from crowd),
  s as (
    insert into served_names (name) select name from crowd)
  insert into conditions (domain_id, type, verdict, reason, message, since, last_look_at)
  select id, 'zone_ready', 'met', null, null, asked, now() from crowd
  union all
  select id, 'delegated', 'waiting', report->>'verdict', report->>'message', asked, now() from crowd`

/** Publishes some of them, of every age, each at its own moment. */
async function publishSome(parent: Parent, signal: AbortSignal): Promise<Moments> {
  const apart = CROWD / PUBLISHED
  const planned = Array.from({ length: PUBLISHED }, (_, index) => ({
    name: nameOf(index * apart + randomInt(apart)),
    atMs: Math.random() * MEASURED_MS,
  })).toSorted((a, b) => a.atMs - b.atMs)
  const began = Date.now()
  const published = new Map<string, number>()
  for (const { name, atMs } of planned) {
    await delay(Math.max(0, began + atMs - Date.now()), undefined, { signal })
    parent.delegate(name, PAIR)
    published.set(name, Date.now())
  }
  return published
}

async function addSome(client: Client, signal: AbortSignal): Promise<Moments> {
  const began = Date.now()
  const added = new Map<string, number>()
  for (let index = 0; index < ADDED; index++) {
    const dueAt = began + (MEASURED_MS / ADDED) * index
    await delay(Math.max(0, dueAt - Date.now()), undefined, { signal })
    const name = `newcomer-${index}.test`
    added.set(name, Date.now())
    const { status } = await client.post('/domains', { domain: name, auto_activate: false })
    if (status !== 201) throw new Error(`adding ${name} was answered with ${status}`)
  }
  return added
}

/** When the product noted the delegation, for each name. */
async function seenTimes(db: Postgres, verdict: string): Promise<Moments> {
  const { rows } = await db.query(
    `select d.name, extract(epoch from min(e.at))::float8 * 1000 as at
       from events e join domains d on d.id = e.domain_id
      where e.type = 'delegation.seen' and e.data->>'verdict' = $1
      group by d.name`,
    [verdict],
  )
  return new Map(rows.map(({ name, at }) => [name, at]))
}

/** Ends at a time limit too: domains not seen by then count as never seen. */
async function untilSeen(db: Postgres): Promise<Moments> {
  const look = () => seenTimes(db, 'delegated')
  return until(look, ({ size }) => size >= PUBLISHED, AFTER_MS).catch(look)
}

const since = (began: Moments, ended: Moments): number[] =>
  [...began].map(([name, at]) => (ended.get(name) ?? Number.POSITIVE_INFINITY) - at)

function reportSeen(published: Moments, seen: Moments): void {
  const values = since(published, seen)
  const { p50 } = printTable([{ what: 'published → seen', values }])
  target(`p50 at most ${TARGET_SEEN_P50_MS} ms`, p50 <= TARGET_SEEN_P50_MS)
}

function reportAdded(added: Moments, log: readonly Question[], looked: Moments): void {
  const asked = new Map(log.toReversed().map(({ name, at }) => [name, at]))
  const { worst } = printTable([
    { what: 'added → asked about', values: since(added, asked) },
    { what: 'added → looked at', values: since(added, looked) },
  ])
  target(`none of the last line above ${TARGET_FIRST_LOOK_MS} ms`, worst <= TARGET_FIRST_LOOK_MS)
}

function reportBudget(log: readonly Question[], measured: { from: number; to: number }): void {
  const isMeasured = ({ at }: Question) => at >= measured.from && at < measured.to
  const perSecond = (log.filter(isMeasured).length * 1000) / (measured.to - measured.from)
  const most = Math.max(...mostInASecond(log))
  const later = Math.max(...mostInASecond(log.filter(isMeasured)))
  figure(`  ${Math.round(perSecond)} questions a second, of ${SERVERS * BUDGET}`)
  figure(`  most that one server got in any second: ${most}; ${later} without the warm-up`)
  target(`at most ${BUDGET} for each server`, most <= BUDGET)
}
