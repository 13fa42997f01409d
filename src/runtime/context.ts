/** What every role uses: settings, log, database, doorbell, vault, and a stack of what to end. */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, type ClientConfig } from 'pg'
import type { Logger } from 'pino'
import { type Config, ConfigError } from '#config/settings.ts'
import type { Rests } from '#drivers/guard.ts'
import { openDoorbell } from '#engine/doorbell.ts'
import { makeApiKey } from '#names/api-key.ts'
import { DIRECTORY_MODE, startPostgres } from '#postgres/embedded.ts'
import { DirectoryInUse, lockDataDirectory } from '#postgres/lock.ts'
import type { Tls } from '#servers/smtp/listener.ts'
import { ensureWorkspace, FIRST_WORKSPACE, hasApiKeys, insertApiKey } from '#store/api-keys.ts'
import { hasSecrets, isRightKey } from '#store/canary.ts'
import type { StoreContext } from '#store/context.ts'
import { type Database, openDatabase } from '#store/database.ts'
import { migrate, NewerSchema } from '#store/migrate.ts'
import { openVault } from '#store/vault.ts'
import { openCertificate } from './certificate.ts'
import { ensureSecretKey, writeFirstKey } from './data-directory.ts'

export type StartOptions = {
  config: Config
  logger: Logger
  /** Aborts the start. */
  signal?: AbortSignal
  /** How long accounts pause after errors; for tests. */
  rests?: Partial<Rests>
}

/** The parts that need no database. */
export type BareRuntime = {
  config: Config
  logger: Logger
  /** Disposes of all opened parts, in reverse order. */
  opened: AsyncDisposableStack
  /** Logs errors that end nothing. */
  onError(error: unknown): void
}

export type Runtime = BareRuntime & {
  store: StoreContext
  /** The certificate of the mail host. */
  tls: Tls
}

export async function openBareRuntime(
  { config, logger }: StartOptions,
  opened: AsyncDisposableStack,
): Promise<BareRuntime> {
  await mkdir(config.dataDir, { recursive: true, mode: DIRECTORY_MODE })
  opened.use(await lockDataDirectory(config.dataDir, 'process.pid').catch(refuseSecond))
  const onError = (error: unknown) => logger.error({ err: error }, 'unexpected error')
  return { config, logger, opened, onError }
}

function refuseSecond(error: unknown): never {
  if (!(error instanceof DirectoryInUse)) throw error
  throw new ConfigError(error.message)
}

/** How Postgres is reached. */
export type Connection = ClientConfig

/** The connection from the settings, or to our own Postgres, which it starts. */
export async function openServer(
  { config, logger, opened }: BareRuntime,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  if (config.databaseUrl !== '') return connectionTo(config.databaseUrl)
  const postgres = await startPostgres({
    dataDir: join(config.dataDir, 'postgres'),
    onLog: (line) => logger.debug({ postgres: line }, 'log of Postgres'),
    onTrouble: (sentence) => logger.error(sentence),
    ...(signal ? { signal } : {}),
  })
  return opened.use(postgres).connection
}

function connectionTo(connectionString: string): Connection {
  try {
    new Client({ connectionString })
  } catch {
    throw new ConfigError('DATABASE_URL: postgres://user:password@host:port/database is wanted.')
  }
  return { connectionString }
}

/** Brings the schema up to date and opens the store. Throws what Postgres says when it cannot. */
export async function openRuntime(bare: BareRuntime, connection: Connection): Promise<Runtime> {
  const { config, logger, opened, onError } = bare
  await migrate(connection, onError).catch(refuseNewer)
  const db = openDatabase(connection, { onError })
  opened.defer(() => db.destroy())
  const doorbell = opened.use(await openDoorbell(db, connection, onError))
  const vault = openVault(await secretKeyOf(config, logger, db))
  const store = { db, doorbell, vault }
  if (usesSecrets(config) && !(await isRightKey(store))) throw new ConfigError(WRONG_KEY)
  await ensureWorkspace(store, FIRST_WORKSPACE, 'First workspace')
  const tls = await openCertificate(bare)
  return { ...bare, store, tls }
}

function refuseNewer(error: unknown): never {
  if (!(error instanceof NewerSchema)) throw error
  throw new ConfigError(
    `The database was used by a newer Mailstead (it knows ${error.migration}); start that one.`,
  )
}

const WRONG_KEY =
  'The secret key is not the one that this database is used with. Give all processes the same MAILSTEAD_SECRET_KEY, or put back the copy of secret.key that was kept elsewhere.'

/** Nameservers and the redirect server read no secret. */
const usesSecrets = ({ roles }: Config): boolean =>
  roles.some((role) => role !== 'dns' && role !== 'redirect')

async function secretKeyOf(config: Config, logger: Logger, db: Database): Promise<Buffer> {
  if (config.secretKey) return config.secretKey
  if (!usesSecrets(config)) return randomBytes(32)
  return ensureSecretKey(config.dataDir, {
    mayMake: !(await hasSecrets(db)),
    onMade: (path) =>
      logger.warn({ path }, 'created the key that encrypts secrets: keep a copy of it elsewhere'),
  })
}

/**
 * Creates a test key if there is none, and returns the path of its file. The file is written first, so that a
 * crash between the two loses no key.
 */
export async function firstKey({ config, store }: Runtime): Promise<string | undefined> {
  if (config.bootstrapKey !== undefined || (await hasApiKeys(store))) return undefined
  const key = makeApiKey('sandbox')
  const path = await writeFirstKey(config.dataDir, key)
  await insertApiKey(store, key, {
    workspaceId: FIRST_WORKSPACE,
    world: 'sandbox',
    name: 'first test key',
    scopes: ['*'],
  })
  return path
}
