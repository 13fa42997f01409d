import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { makeApiKey } from '#names/api-key.ts'
import { startPostgres } from '#postgres/embedded.ts'
import { until } from '../client.ts'
import { temporaryDirectory } from '../directories.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { startProduct } from '../product.ts'

const AWAY_MS = 4000

test('while the database is away, DNS answers and the API says 503; then all goes on', async () => {
  await using directory = await temporaryDirectory()
  const server = { dataDir: `${directory.path}/server`, onLog: () => undefined }
  const postgres = await startPostgres(server)
  const { host, port, user, password, database } = postgres.connection
  const url = `postgres://${user}:${encodeURIComponent(password)}@/${database}?${new URLSearchParams({ host, port: String(port) })}`
  await using product = await startProduct({
    dataDir: `${directory.path}/product`,
    settings: { DATABASE_URL: url, MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox') },
  })
  const { client } = product
  const active = await client.addActive('steady.test')
  const waiting = (await client.post('/domains', { domain: 'patient.test' })).body

  // A change that is committed is served within a second.
  await until(
    () => ask(product.dns, 'patient.test', 'SOA'),
    ({ answers }) => answers.length === 1,
  )

  await postgres[Symbol.asyncDispose]()
  const { status, headers, body } = await client.get('/domains')
  assert.equal(status, 503)
  assert.equal(body.error, 'database_away')
  assert.ok(Number(headers.get('retry-after')) > 0)
  assert.equal((await client.request('GET', '/healthz')).status, 200)
  assert.equal((await client.request('GET', '/readyz')).status, 503)
  await delay(AWAY_MS)
  assert.equal((await ask(product.dns, 'steady.test', 'MX')).answers.length, 1)
  assert.equal((await ask(product.dns, 'patient.test', 'SOA')).answers.length, 1)

  await using _back = await startPostgres(server)
  await until(
    async () => (await client.get(`/domains/${active.domain_id}`)).status,
    (seen) => seen === 200,
  )
  await client.delegate('patient.test', waiting.nameservers)
  await client.untilDomain(waiting.domain_id, ({ status }) => status === 'ACTIVE')
})

// biome-ignore format: a table
const STATES: readonly [state: string, what: string, status: number, error: string][] = [
  ['40001', 'two transactions that cannot be put in an order', 503, 'database_away'],
  ['40P01', 'a deadlock',                                      503, 'database_away'],
  ['55P03', 'a lock that another holds',                       503, 'database_away'],
  ['57014', 'a statement that takes too long',                 503, 'database_away'],
  ['53100', 'a full disk',                                     503, 'database_away'],
  ['25006', 'a database that only reads',                      503, 'database_away'],
  ['22012', 'a bug of ours',                                   500, 'internal'],
]

test('what a repeat would cure is answered as a database that is away', async () => {
  await using house = await testHouse()
  const { client, store } = house
  for (const [state, what, status, error] of STATES) {
    await sql`create or replace function trouble() returns trigger language plpgsql as
      ${sql.raw(`$$ begin raise exception 'trouble' using errcode = '${state}'; end $$`)}`.execute(
      store.db,
    )
    await sql`create or replace trigger trouble before insert on domains
      for each row execute function trouble()`.execute(store.db)
    const answer = await client.post('/domains', { domain: 'troubled.test' })
    assert.deepEqual([answer.status, answer.body.error], [status, error], what)
    assert.equal(answer.headers.has('retry-after'), status === 503, what)
  }
  await sql`drop trigger trouble on domains`.execute(store.db)
  assert.equal((await client.post('/domains', { domain: 'troubled.test' })).status, 201)
})
