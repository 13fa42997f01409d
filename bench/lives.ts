/**
 * How many whole lives of domains a second one process handles in its sandbox: added, delegated, proven
 * by a message, ACTIVE, deleted, undelegated, and removed at every service. Also what one costs the
 * database and the child process, the product, which writes to the disk.
 */
import { readFile } from 'node:fs/promises'
import { Client as Postgres } from 'pg'
import { startPostgres } from '#postgres/embedded.ts'
import type { Client } from '../test/client.ts'
import { STOCK_SECRET } from '../test/database.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { startProduct } from '../test/product.ts'
import { figure, target } from './figures.ts'

const LIVES = 300
const AT_ONCE = 40
const BEFORE = 40
const TARGET_A_SECOND = 25
/** Kernel clock ticks a second, as `getconf CLK_TCK` gives them. */
const TICKS_A_SECOND = 100

export async function lives(signal: AbortSignal): Promise<void> {
  await using opened = new AsyncDisposableStack()
  const { path: dataDir } = opened.use(await temporaryDirectory())
  const { path: postgresDir } = opened.use(await temporaryDirectory())
  const { connection } = opened.use(
    await startPostgres({
      dataDir: postgresDir,
      settings: { shared_preload_libraries: 'pg_stat_statements' },
      onLog: () => {},
    }),
  )
  const db = new Postgres(connection)
  await db.connect()
  opened.defer(() => db.end())
  await db.query('create extension pg_stat_statements')
  const { user, password, host, port, database } = connection
  const url = `postgres://${user}:${password}@/${database}?host=${encodeURIComponent(host!)}&port=${port}`
  const product = opened.use(
    await startProduct({
      dataDir,
      settings: {
        DATABASE_URL: url,
        MAILSTEAD_SECRET_KEY: STOCK_SECRET.toString('base64'),
        MAILSTEAD_LOG_LEVEL: 'warn',
        MAILSTEAD_RATE_LIMIT_PER_MINUTE: '0',
        MAILSTEAD_RATE_LIMIT_PER_HOUR: '0',
      },
    }),
  )
  figure(`lives: ${LIVES} domains, ${AT_ONCE} at once, each added, ACTIVE, deleted and gone`)
  await lead(product.client, 'before', BEFORE, signal)
  await db.query('select pg_stat_statements_reset()')
  const [cpuBefore, commitsBefore] = [await cpuMs(product.pid), await commits(db)]
  const began = performance.now()
  await lead(product.client, 'measured', LIVES, signal)
  const rate = (1000 * LIVES) / (performance.now() - began)
  const cpu = ((await cpuMs(product.pid)) - cpuBefore) / LIVES
  const { rows } = await db.query('select sum(calls) as calls from pg_stat_statements')
  figure(`  ${rate.toFixed(1)} lives a second`)
  figure(`  a life: ${cpu.toFixed(0)} ms of the product's CPU`)
  figure(
    `  ${(Number(rows[0].calls) / LIVES).toFixed(0)} statements,` +
      ` ${(((await commits(db)) - commitsBefore) / LIVES).toFixed(0)} transactions`,
  )
  target(`at least ${TARGET_A_SECOND} lives a second`, rate >= TARGET_A_SECOND)
  if (process.env.MAILSTEAD_BENCH_STATEMENTS) {
    const often = await db.query(
      `select calls, round(total_exec_time) as ms, left(regexp_replace(query, '\\s+', ' ', 'g'), 150) as query
         from pg_stat_statements order by calls desc limit 110`,
    )
    for (const each of often.rows)
      console.log(
        `${(each.calls / LIVES).toFixed(1).padStart(7)} ${String(each.ms).padStart(7)} ms  ${each.query}`,
      )
  }
}

async function lead(
  client: Client,
  kind: string,
  count: number,
  signal: AbortSignal,
): Promise<void> {
  using feed = await openFeed(client)
  let next = 0
  const leadSome = async () => {
    while (next < count) {
      signal.throwIfAborted()
      await leadOne(client, feed, `${kind}-${next++}.test`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, leadSome))
}

async function leadOne(client: Client, feed: Feed, name: string): Promise<void> {
  const { domain_id } = await client.addDelegated(name)
  await feed.tells('domain.active', domain_id)
  await client.undelegate(name)
  await client.delete(`/domains/${domain_id}`)
  await feed.tells('domain.removed', domain_id)
}

type Feed = Disposable & {
  /** Resolves once the domain has had the event. */
  tells(type: string, domainId: string): Promise<void>
}

const TELLS = 'domain.active,domain.removed'

/** One event stream for all domains replaces polling. */
async function openFeed(client: Client): Promise<Feed> {
  const stop = new AbortController()
  const response = await fetch(`${client.base}/api/public/v1/events?types=${TELLS}`, {
    headers: { 'x-api-key': client.key!, accept: 'text/event-stream' },
    signal: stop.signal,
  })
  const told = new Map<string, PromiseWithResolvers<void>>()
  const of = (key: string) => {
    const known = told.get(key) ?? Promise.withResolvers<void>()
    told.set(key, known)
    return known
  }
  void readAll(response, (type, domainId) => of(`${type} ${domainId}`).resolve())
  return {
    tells: (type, domainId) => of(`${type} ${domainId}`).promise,
    [Symbol.dispose]: () => stop.abort(),
  }
}

async function readAll(
  response: Response,
  heard: (type: string, domainId: string) => void,
): Promise<void> {
  let rest = ''
  try {
    for await (const text of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + text).split('\n\n')
      rest = blocks.pop()!
      for (const block of blocks) {
        const data = /^data: (.*)$/m.exec(block)?.[1]
        if (data === undefined) continue
        const { type, domain_id } = JSON.parse(data)
        heard(type, domain_id)
      }
    }
  } catch {
    // The measurement has ended.
  }
}

/** User and system time of a process so far. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_A_SECOND
}

async function commits(db: Postgres): Promise<number> {
  const { rows } = await db.query(
    'select xact_commit as commits from pg_stat_database where datname = current_database()',
  )
  return Number(rows[0].commits)
}
