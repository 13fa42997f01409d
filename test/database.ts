/** A fresh database for a test, cloned from a migrated template in some 30 ms. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type ClientConfig } from 'pg'
import { startPostgres } from '#postgres/embedded.ts'
import { openDatabase } from '#store/database.ts'
import { keepKeyPair, makeKeyPair } from '#store/dkim-keys.ts'
import { migrate } from '#store/migrate.ts'
import { openVault } from '#store/vault.ts'

const TEMPLATE = 'mailstead_template'
const STOCKED = 'mailstead_template_with_keys'

/** What the secrets in a database with a stock are sealed with. */
export const STOCK_SECRET = Buffer.alloc(32, 7)

/** Making a key pair takes longer than all else that a domain needs, and each domain needs one. */
const STOCK = { different: 24, ofEach: 2 }

export type TestDatabase = AsyncDisposable & { connection: ClientConfig; url: string }

export async function prepareTemplate(server: ClientConfig): Promise<void> {
  await admin(server, `create database ${TEMPLATE}`)
  await migrate({ ...server, database: TEMPLATE }, () => undefined)
}

/** A second template, in which there are key pairs enough for the domains of one test. */
export async function prepareStock(server: ClientConfig): Promise<void> {
  await admin(server, `create database ${STOCKED} template ${TEMPLATE}`)
  const db = openDatabase({ ...server, database: STOCKED }, { onError: () => undefined })
  const vault = openVault(STOCK_SECRET)
  try {
    const making = Array.from({ length: STOCK.different }, () => makeKeyPair())
    const pairs = await Promise.all(making)
    for (let copy = 0; copy < STOCK.ofEach; copy++)
      for (const pair of pairs) await keepKeyPair({ db, vault }, pair)
  } finally {
    await db.destroy()
  }
}

/**
 * On the server of the whole run, or on one started for this file alone. With a stock of key pairs, if the run has
 * made one: its caller must then use `STOCK_SECRET`, with which the pairs are sealed.
 */
export const testDatabase = ({ isStocked = false } = {}): Promise<TestDatabase> =>
  databaseFrom(isStocked && process.env.MAILSTEAD_TEST_POSTGRES ? STOCKED : TEMPLATE)

/** One without any table. */
export const emptyDatabase = (): Promise<TestDatabase> => databaseFrom('template0')

async function databaseFrom(template: string): Promise<TestDatabase> {
  const given = process.env.MAILSTEAD_TEST_POSTGRES
  await using opened = new AsyncDisposableStack()
  const server = given ? (JSON.parse(given) as ClientConfig) : await ownServer(opened)
  const database = `test_${randomBytes(6).toString('hex')}`
  // Copied file by file, for otherwise all of it goes through the log.
  await admin(server, `create database ${database} template ${template} strategy file_copy`)
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
