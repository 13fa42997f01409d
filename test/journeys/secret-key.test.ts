/** The secret key belongs to the database: a start with another, or without it, ends with a sentence. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pino } from 'pino'
import { ConfigError, readConfig } from '#config/settings.ts'
import { startMailstead } from '#runtime/start.ts'
import { testDatabase } from '../database.ts'
import { dataDirectory } from '../directories.ts'
import { FREE_PORTS } from '../house.ts'

const silent = pino({ level: 'silent' })
const database = await testDatabase({})
after(() => database[Symbol.asyncDispose]())
const directory = await dataDirectory()
after(() => directory[Symbol.asyncDispose]())
const keyFile = join(directory.path, 'secret.key')

const start = (settings: Record<string, string> = {}, dataDir = directory.path) =>
  startMailstead({
    logger: silent,
    config: readConfig({
      ...FREE_PORTS,
      DATABASE_URL: database.url,
      MAILSTEAD_DATA_DIR: dataDir,
      ...settings,
    }),
  })

const startAndStop = async (settings: Record<string, string> = {}, dataDir?: string) =>
  (await start(settings, dataDir))[Symbol.asyncDispose]()

const refuses = (starting: Promise<unknown>, sentence: RegExp) =>
  assert.rejects(starting, (error) => error instanceof ConfigError && sentence.test(error.message))

test('the first start makes the key, and the next one is let in by it', async () => {
  await startAndStop()
  assert.ok(existsSync(keyFile))
  await startAndStop()
})

test('a data directory that came back without its key gets no other one', async () => {
  const key = await readFile(keyFile)
  await rm(keyFile)
  await refuses(startAndStop(), /There is no .*secret\.key, and the database has secrets/)
  assert.equal(existsSync(keyFile), false)
  await writeFile(keyFile, key, { mode: 0o600 })
  await startAndStop()
})

test('another key is refused, in the settings as in the file', async () => {
  const other = randomBytes(32).toString('base64')
  await refuses(startAndStop({ MAILSTEAD_SECRET_KEY: other }), /not the one that this database/)
  const key = await readFile(keyFile)
  await writeFile(keyFile, other, { mode: 0o600 })
  await refuses(startAndStop(), /not the one that this database/)
  await writeFile(keyFile, key, { mode: 0o600 })
  await startAndStop()
})

test('a second worker with another key is refused while the first one runs', async () => {
  await using first = await start()
  assert.ok(first.api)
  await using elsewhere = await dataDirectory()
  const other = randomBytes(32).toString('base64')
  const worker = { MAILSTEAD_ROLES: 'worker', MAILSTEAD_SECRET_KEY: other }
  await refuses(startAndStop(worker, elsewhere.path), /not the one that this database/)
  await refuses(startAndStop({ MAILSTEAD_ROLES: 'worker' }, elsewhere.path), /There is no/)
})

test('a nameserver beside it needs no key, and makes none', async () => {
  await using elsewhere = await dataDirectory()
  await startAndStop({ MAILSTEAD_ROLES: 'dns' }, elsewhere.path)
  assert.equal(existsSync(join(elsewhere.path, 'secret.key')), false)
})

test('one process uses a data directory at a time', async () => {
  await using first = await start()
  assert.ok(first.api)
  await refuses(
    startAndStop({ MAILSTEAD_ROLES: 'dns' }),
    /Another Mailstead .* uses this data directory/,
  )
})
