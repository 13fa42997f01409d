/**
 * The speed of lists, single domains and adding, with a million domains of one workspace in the
 * database: requests come at a steady rate, whether or not earlier ones were answered. The first five
 * seconds of each kind do not count: they open connections and compile code.
 */
import { Client as Postgres } from 'pg'
import { makeApiKey } from '#names/api-key.ts'
import { FIRST_WORKSPACE } from '#store/api-keys.ts'
import { type Client, until } from '../test/client.ts'
import { testDatabase } from '../test/database.ts'
import { temporaryDirectory } from '../test/directories.ts'
import { startProduct } from '../test/product.ts'
import { figure } from './figures.ts'
import { steady } from './steady.ts'
import { printTable, type Row } from './table.ts'

const DOMAINS = Number(process.env.BENCH_DOMAINS ?? 1_000_000)
const PER_SECOND = 50

export async function lists(signal: AbortSignal): Promise<void> {
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const settings = {
    DATABASE_URL: database.url,
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox'),
    MAILSTEAD_LOG_LEVEL: 'warn',
  }
  await using product = await startProduct({ dataDir: directory.path, settings })
  // Without the product's limits on queries.
  const db = new Postgres(database.connection)
  await db.connect()
  try {
    figure(`lists: ${DOMAINS} domains, ${PER_SECOND} requests a second; milliseconds`)
    await fill(db)
    await until(
      () => product.client.get('/domains?limit=1'),
      ({ status }) => status === 200,
    )
    const [deep, single] = await Promise.all([idAt(db, 0.7), idAt(db, 0.3)])
    let added = 0
    const rows: Row[] = []
    for (const [what, ask] of [
      ['first page', (client: Client) => client.get('/domains?limit=100')],
      ['by status', (client: Client) => client.get('/domains?limit=100&status=FAILED')],
      ['by part of the name', (client: Client) => client.get('/domains?limit=100&search=77123')],
      ['by cursor, deep', (client: Client) => client.get(`/domains?limit=100&cursor=${deep}`)],
      ['one domain', (client: Client) => client.get(`/domains/${single}`)],
      ['adding one', (client: Client) => client.post('/domains', { domain: `new${++added}.test` })],
    ] as const) {
      rows.push({ what, values: await steady(() => ask(product.client), PER_SECOND, signal) })
    }
    printTable(rows)
  } finally {
    await db.end()
  }
}

/** Rows as after a year of use: none is due. */
async function fill(db: Postgres): Promise<void> {
  await db.query(`
    insert into domains (id, workspace_id, world, name, status, zone_driver, sender_driver, mailbox_driver,
                         created_at, activated_at, next_at)
    select gen_random_uuid(), '${FIRST_WORKSPACE}', 'sandbox', 'd' || n || '.test',
           case n % 20 when 0 then 'FAILED' when 1 then 'DNS_PENDING' else 'ACTIVE' end,
           'embedded', 'embedded', 'embedded',
           now() - n * interval '30 s', now(), now() + interval '30 days'
      from generate_series(1, ${DOMAINS}) n`)
  await db.query(`
    insert into conditions (domain_id, type, verdict, since)
    select id, type, 'met', now() from domains, (values ('zone_ready'), ('delegated')) t (type)`)
  await db.query(`
    insert into claims (id, domain_id, workspace_id, world, name)
    select gen_random_uuid(), id, workspace_id, world, name from domains`)
  await db.query('vacuum analyze')
  await db.query('checkpoint')
}

/** The id of the domain at a relative position in the list. */
async function idAt(db: Postgres, share: number): Promise<string> {
  const name = `d${Math.floor(DOMAINS * share)}.test`
  const { rows } = await db.query('select id from domains where name = $1', [name])
  return rows[0].id
}
