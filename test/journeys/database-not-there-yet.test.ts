import assert from 'node:assert/strict'
import { stat, symlink } from 'node:fs/promises'
import { test } from 'node:test'
import { Client as Postgres } from 'pg'
import { makeApiKey } from '#names/api-key.ts'
import { type PostgresServer, startPostgres } from '#postgres/embedded.ts'
import { Client, until } from '../client.ts'
import { testDatabase } from '../database.ts'
import { dataDirectory, temporaryDirectory } from '../directories.ts'
import { ask } from '../dns.ts'
import { freePort } from '../ports.ts'
import { impostor } from '../postgres.ts'
import { type Process, spawnProduct, startProduct } from '../product.ts'

/** As DATABASE_URL is written. */
function urlOf({ host, port, user, password, database }: PostgresServer['connection']): string {
  const query = new URLSearchParams({ host, port: String(port) })
  return `postgres://${user}:${encodeURIComponent(password)}@/${database}?${query}`
}

const logged = (process: Process, words: RegExp) =>
  until(
    async () => process.log(),
    (log) => words.test(log),
  )

/** Where it serves its zones before Postgres is there. */
async function servedBefore(process: Process): Promise<string> {
  const log = await logged(process, /serves its zones as of/)
  const line = log.split('\n').find((each) => each.includes('serves its zones as of'))!
  return JSON.parse(line).dns[0]
}

test('a nameserver that starts without Postgres serves its last zones at once, and catches up', async () => {
  await using directory = await temporaryDirectory()
  const server = { dataDir: `${directory.path}/server`, onLog: () => undefined }
  const postgres = await startPostgres(server)
  const settings = {
    DATABASE_URL: urlOf(postgres.connection),
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox'),
  }
  await using product = await startProduct({ dataDir: `${directory.path}/product`, settings })
  await product.client.addActive('steady.test')
  const { body: waiting } = await product.client.post('/domains', { domain: 'patient.test' })

  const alone = {
    dataDir: `${directory.path}/dns`,
    settings: {
      ...settings,
      MAILSTEAD_SECRET_KEY: Buffer.alloc(32).toString('base64'),
      MAILSTEAD_ROLES: 'dns',
    },
  }
  const first = await startProduct(alone)
  const old = (await ask(first.dns, 'steady.test', 'MX')).answers
  assert.equal(old.length, 1)
  await first.kill()
  assert.equal((await stat(`${alone.dataDir}/zones.log`)).mode & 0o777, 0o600)

  // What changes while it is down, it does not know before Postgres is back.
  await product.client.addActive('later.test')
  await postgres[Symbol.asyncDispose]()
  await using second = spawnProduct(alone)
  const dns = await servedBefore(second)
  assert.deepEqual((await ask(dns, 'steady.test', 'MX')).answers, old)
  assert.equal((await ask(dns, 'patient.test', 'SOA')).answers.length, 1) // It would wake the domain.
  assert.equal((await ask(dns, 'later.test', 'MX')).rcode, 'REFUSED')
  await logged(second, /waits for the database: there is no socket of Postgres/)

  await using _back = await startPostgres(server)
  await second.ready()
  await until(
    () => ask(dns, 'later.test', 'MX'),
    ({ answers }) => answers.length === 1,
  )
  await product.client.delegate('patient.test', waiting.nameservers)
  await product.client.untilDomain(waiting.domain_id, ({ status }) => status === 'ACTIVE')
  await until(
    () => ask(dns, 'patient.test', 'MX'),
    ({ answers }) => answers.length === 1,
  )
  assert.doesNotMatch(second.log(), /"level":50| {4}at /)
  assert.equal(await second.end('SIGTERM'), 0)
})

test('one whose database was put back to an older state gives up what is not there any more', async () => {
  await using before = await testDatabase()
  await using after = await testDatabase()
  await using directory = await dataDirectory()
  const settings = (url: string) => ({
    DATABASE_URL: url,
    MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox'),
  })
  const options = { dataDir: directory.path }
  const first = await startProduct({ ...options, settings: settings(before.url) })
  await first.client.addActive('lost.test')
  await first.stop()
  await using second = await startProduct({ ...options, settings: settings(after.url) })
  await until(
    () => ask(second.dns, 'lost.test', 'MX'),
    ({ rcode }) => rcode === 'REFUSED',
  )
})

// biome-ignore format: a table
const NOT_THERE: readonly [what: string, code: string | undefined, message: string, sentence: RegExp][] = [
  ['nothing but silence',          undefined, '',                                  /Postgres does not answer/],
  ['a server that is starting up', '57P03', 'the database system is starting up', /Postgres is starting up or shutting down \(the database system is starting up\)/],
  ['a server without connections', '53300', 'too many clients already',           /Postgres has no connection left for us/],
  ['a password that is refused',   '28P01', 'password authentication failed',     /Postgres refuses the user or the password of DATABASE_URL/],
  ['a database of another name',   '3D000', 'database "mailstead" does not exist', /Postgres has no database of the name in DATABASE_URL/],
]

for (const [what, code, message, sentence] of NOT_THERE) {
  test(`with ${what} instead of Postgres, it says so, waits, and ends when it is told to`, async () => {
    await using directory = await temporaryDirectory()
    await using server = await impostor(code, message)
    const port = await freePort()
    await using product = spawnProduct({
      dataDir: directory.path,
      settings: { DATABASE_URL: server.url, MAILSTEAD_HTTP_LISTEN: `127.0.0.1:${port}` },
    })
    await logged(product, sentence)
    const client = new Client(`http://127.0.0.1:${port}`, 'none')
    const ready = await until(
      () => client.request('GET', '/readyz').catch(() => undefined),
      (answer) => answer !== undefined,
    )
    assert.deepEqual([ready!.status, ready!.body], [503, { status: 'not_ready', database: 'away' }])
    assert.equal((await client.request('GET', '/healthz')).status, 200)
    const other = await client.get('/domains')
    assert.deepEqual([other.status, other.body.error], [503, 'database_away'])
    assert.ok(Number(other.headers.get('retry-after')) > 0)
    assert.equal(await product.end('SIGTERM'), 0)
    assert.doesNotMatch(product.log(), / {4}at |hunter2/)
  })
}

for (const role of ['api', 'worker', 'dns', 'smtp', 'redirect']) {
  test(`the role ${role} waits for a Postgres that comes later`, async () => {
    await using directory = await dataDirectory()
    await using database = await testDatabase()
    const { host, port, ...login } = database.connection
    // Its socket is where nothing is yet.
    const later = `${directory.path}/later`
    const query = new URLSearchParams({ host: later, port: String(port) })
    await using product = spawnProduct({
      dataDir: directory.path,
      settings: {
        DATABASE_URL: `postgres://${login.user}:${login.password}@/${login.database}?${query}`,
        MAILSTEAD_ROLES: role,
        MAILSTEAD_REDIRECT_LISTEN: '127.0.0.1:0',
      },
    })
    await logged(product, /waits for the database: there is no socket of Postgres/)
    await symlink(String(host), later)
    await product.ready()
    assert.equal(product.log().match(/waits for the database/g)?.length, 1)
    assert.doesNotMatch(product.log(), / {4}at /)
    assert.equal(await product.end('SIGTERM'), 0)
  })
}

test('a database that a newer release has used is refused with a sentence', async () => {
  await using directory = await dataDirectory()
  await using database = await testDatabase()
  const db = new Postgres(database.connection)
  await db.connect()
  await db.query(`insert into kysely_migration values ('9999-later', now()::text)`)
  await db.end()
  const settings = { DATABASE_URL: database.url }
  await using product = spawnProduct({ dataDir: directory.path, settings })
  assert.equal(await product.ended(), 1)
  assert.match(
    product.log(),
    /^The database was used by a newer Mailstead \(it knows 9999-later\)/m,
  )
  assert.doesNotMatch(product.log(), / {4}at /)
})

test('a DATABASE_URL that is no URL is refused with a sentence that does not show it', async () => {
  await using directory = await dataDirectory()
  const settings = { DATABASE_URL: 'postgres://someone:hunter2@[nowhere/mailstead' }
  await using product = spawnProduct({ dataDir: directory.path, settings })
  assert.equal(await product.ended(), 1)
  assert.match(
    product.log(),
    /^DATABASE_URL: postgres:\/\/user:password@host:port\/database is wanted/m,
  )
  assert.doesNotMatch(product.log(), / {4}at |hunter2/)
})
