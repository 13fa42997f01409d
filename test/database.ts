/** A fresh database for a test, cloned from a migrated template in some 30 ms. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type ClientConfig } from 'pg'
import { startPostgres } from '#store/embedded-postgres.ts'
import { migrate } from '#store/migrate.ts'

const TEMPLATE = 'mailstead_template'

export type TestDatabase = AsyncDisposable & { connection: ClientConfig; url: string }

export async function prepareTemplate(server: ClientConfig): Promise<void> {
  await admin(server, `create database ${TEMPLATE}`)
  await migrate({ ...server, database: TEMPLATE }, () => undefined)
}

/** On the server of the whole run, or on one started for this file alone. */
export async function testDatabase(): Promise<TestDatabase> {
  const given = process.env.MAILSTEAD_TEST_POSTGRES
  await using opened = new AsyncDisposableStack()
  const server = given ? (JSON.parse(given) as ClientConfig) : await ownServer(opened)
  const database = `test_${randomBytes(6).toString('hex')}`
  // Copied file by file, for otherwise all of it goes through the log.
  await admin(server, `create database ${database} template ${TEMPLATE} strategy file_copy`)
  opened.defer(() => admin(server, `drop database ${database} with (force)`))
  const closing = opened.move()
  const connection = { ...server, database }
  return { connection, url: urlOf(connection), [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

async function ownServer(opened: AsyncDisposableStack): Promise<ClientConfig> {
  const dataDir = await mkdtemp(join(tmpdir(), 'mailstead-test-'))
  opened.defer(() => rm(dataDir, { recursive: true, force: true }))
  const postgres = opened.use(
    await startPostgres({ dataDir, settings: { fsync: 'off' }, onLog: () => undefined }),
  )
  await prepareTemplate(postgres.connection)
  return postgres.connection
}

async function admin(server: ClientConfig, statement: string): Promise<void> {
  const client = new Client(server)
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

/** As DATABASE_URL is written: the directory of a Unix socket goes into the query. */
function urlOf({ host, port, user, password, database }: ClientConfig): string {
  const query = new URLSearchParams({ host: host ?? '', port: String(port ?? 5432) })
  return `postgres://${user}:${encodeURIComponent(String(password))}@/${database}?${query}`
}
