/** What looks after processes is told the truth: each role, by address, with reasons. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { pino } from 'pino'
import { readConfig } from '#config/settings.ts'
import { startMailstead } from '#runtime/start.ts'
import { until } from '../client.ts'
import { STOCK_SECRET, testDatabase } from '../database.ts'
import { dataDirectory } from '../directories.ts'
import { FREE_PORTS } from '../house.ts'
import { freePort } from '../ports.ts'

const database = await testDatabase({})
after(() => database[Symbol.asyncDispose]())

async function startRole(roles: string, settings: Record<string, string> = {}) {
  await using opened = new AsyncDisposableStack()
  const { path } = opened.use(await dataDirectory())
  const port = await freePort()
  const lines: string[] = []
  const logger = pino(
    { level: 'info', base: null },
    { write: (line: string) => void lines.push(line) },
  )
  const config = readConfig({
    ...FREE_PORTS,
    DATABASE_URL: database.url,
    MAILSTEAD_DATA_DIR: path,
    MAILSTEAD_SECRET_KEY: STOCK_SECRET.toString('base64'),
    MAILSTEAD_ROLES: roles,
    MAILSTEAD_HEALTH_LISTEN: `127.0.0.1:${port}`,
    ...settings,
  })
  const stop = new AbortController()
  const opening = startMailstead({ config, logger, signal: stop.signal })
  const closing = opened.move()
  return {
    opening,
    lines,
    look: async (what: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`http://127.0.0.1:${port}/${what}`, { headers })
      return { status: response.status, body: (await response.json()) as Record<string, string> }
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await (await opening.catch(() => undefined))?.[Symbol.asyncDispose]()
      await closing.disposeAsync()
    },
  }
}

for (const role of ['api', 'worker', 'dns', 'smtp', 'redirect']) {
  test(`the role ${role} says that it is ready, whatever host is asked for`, async () => {
    await using process = await startRole(role)
    await process.opening
    const { status, body } = await process.look('readyz', { host: 'whatever.example' })
    assert.deepEqual([status, body.status, body.database], [200, 'ready', 'ok'])
    assert.equal(body.zones, role === 'dns' ? 'ok' : undefined)
    assert.deepEqual(await process.look('healthz'), { status: 200, body: { status: 'ok' } })
    assert.equal((await process.look('metrics')).status, 404)
  })
}

test('a process that waits for its database lives, and is not ready', async () => {
  await using process = await startRole('worker', {
    DATABASE_URL: `postgres://nobody@127.0.0.1:${await freePort()}/none`,
  })
  process.opening.catch(() => undefined)
  const answer = await until(
    () => process.look('readyz').catch(() => undefined),
    (found) => found !== undefined,
  )
  assert.deepEqual(answer, { status: 503, body: { status: 'not_ready', start: 'under way' } })
  assert.equal((await process.look('healthz')).status, 200)
})

test('the log says which roles started and stopped, and who asked, but nothing of health checks', async () => {
  const process = await startRole('api')
  const { api } = await process.opening
  await fetch(`${api}/healthz`)
  await fetch(`${api}/readyz`)
  await fetch(`${api}/api/public/v1/domains`)
  await process[Symbol.asyncDispose]()
  const told = process.lines.map((line) => JSON.parse(line))
  assert.deepEqual(told.find(({ msg }) => msg === 'started').roles, ['api'])
  assert.deepEqual(told.find(({ msg }) => msg === 'stops').roles, ['api'])
  const answered = told.filter(({ msg }) => msg === 'answered').map(({ path }) => path)
  assert.deepEqual(answered, ['/api/public/v1/domains'])
})

test('a database that only reads is no database to work with', async () => {
  await using process = await startRole('api')
  const { store } = await process.opening
  const name = sql.ref(String(database.connection.database))
  await sql`alter database ${name} set default_transaction_read_only = on`.execute(store.db)
  // Sessions that are open go on writing; the one that ends them all ends with them.
  const all = sql`
    select pg_terminate_backend(pid) from (
      select pid from pg_stat_activity where datname = current_database()
       order by pid = pg_backend_pid()) session`
  await all.execute(store.db).catch(() => undefined)
  const { status, body } = await until(
    () => process.look('readyz'),
    (found) => found.body.database === 'not writable',
  )
  assert.deepEqual([status, body.status], [503, 'not_ready'])
})
