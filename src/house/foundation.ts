/** What every role stands on: settings, log, database, doorbell, vault, and a stack of what to end. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ClientConfig } from 'pg'
import type { Logger } from 'pino'
import type { Rests } from '#drivers/guard.ts'
import { openDoorbell } from '#engine/doorbell.ts'
import { makeApiKey } from '#names/api-key.ts'
import { ensureWorkspace, FIRST_WORKSPACE, hasApiKeys, keepApiKey } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import { openDatabase } from '#store/database.ts'
import { DIRECTORY_MODE, startPostgres } from '#store/embedded-postgres.ts'
import { migrate } from '#store/migrate.ts'
import { openVault } from '#store/vault.ts'
import type { Config } from '../config.ts'
import { keptCertificate, keptSecretKey, writeFirstKey } from './keepsakes.ts'

export type HouseOptions = {
  config: Config
  logger: Logger
  /** Gives up the start. */
  signal?: AbortSignal
  /** How long accounts rest after trouble; for tests. */
  rests?: Partial<Rests>
}

export type Foundation = {
  config: Config
  logger: Logger
  store: StoreContext
  /** For STARTTLS. */
  tls: { key: string; cert: string }
  /** Ends, in reverse, what was begun. */
  opened: AsyncDisposableStack
  /** Notes trouble that ends nothing. */
  onError(error: unknown): void
}

export async function layFoundation(
  { config, logger, signal }: HouseOptions,
  opened: AsyncDisposableStack,
): Promise<Foundation> {
  const onError = (error: unknown) => logger.error({ err: error }, 'trouble')
  await mkdir(config.dataDir, { recursive: true, mode: DIRECTORY_MODE })
  const connection = await openServer(config, logger, opened, signal)
  await migrate(connection, onError)
  const db = openDatabase(connection, { onError })
  opened.defer(() => db.destroy())
  const doorbell = opened.use(await openDoorbell(db, connection, onError))
  const vault = openVault(config.secretKey ?? (await keptKey(config, logger)))
  const store = { db, doorbell, vault }
  await ensureWorkspace(store, FIRST_WORKSPACE, 'First workspace')
  const tls = await keptCertificate(config.dataDir, config.mailHost)
  return { config, logger, store, tls, opened, onError }
}

async function openServer(
  config: Config,
  logger: Logger,
  opened: AsyncDisposableStack,
  signal: AbortSignal | undefined,
): Promise<ClientConfig> {
  if (config.databaseUrl !== '') return { connectionString: config.databaseUrl }
  const postgres = await startPostgres({
    dataDir: join(config.dataDir, 'postgres'),
    onLog: (line) => logger.debug({ postgres: line }, 'postgres says'),
    ...(signal ? { signal } : {}),
  })
  return opened.use(postgres).connection
}

const keptKey = ({ dataDir }: Config, logger: Logger): Promise<Buffer> =>
  keptSecretKey(dataDir, (path) => {
    logger.warn({ path }, 'made the key that encrypts secrets; keep a copy of it elsewhere')
  })

/**
 * With no key at all, a test key is made, and the path of its file given. The file is written first,
 * so that a crash between the two loses no key.
 */
export async function firstKey({ config, store }: Foundation): Promise<string | undefined> {
  if (config.bootstrapKey !== undefined || (await hasApiKeys(store))) return undefined
  const key = makeApiKey('sandbox')
  const path = await writeFirstKey(config.dataDir, key)
  await keepApiKey(store, key, {
    workspaceId: FIRST_WORKSPACE,
    world: 'sandbox',
    name: 'first test key',
    scopes: ['*'],
  })
  return path
}
