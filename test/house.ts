/** The whole product in one process, with its sandbox, on free ports and a database of its own. */
import { pino } from 'pino'
import { readConfig } from '#config/settings.ts'
import type { Rests } from '#drivers/guard.ts'
import { type Running, startMailstead } from '#runtime/start.ts'
import { createApiKey, ensureWorkspace, FIRST_WORKSPACE } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import { newId } from '../src/ids.ts'
import { Client } from './client.ts'
import { STOCK_SECRET, type TestDatabase, testDatabase } from './database.ts'
import { dataDirectory } from './directories.ts'

export type TestHouse = AsyncDisposable & {
  house: Running
  store: StoreContext
  database: TestDatabase
  /** A client with a test key for everything in the first workspace. */
  client: Client
  /** A client of another workspace, or with other scopes. */
  clientOf(options: { workspace?: string; scopes?: readonly string[] }): Promise<Client>
  /** `address:port` of the nameserver. */
  dns: string
  smtp: string
  logLines: string[]
}

export const FREE_PORTS = {
  MAILSTEAD_HTTP_LISTEN: '127.0.0.1:0',
  MAILSTEAD_DNS_LISTEN: '127.0.0.1:0',
  MAILSTEAD_SMTP_LISTEN: '127.0.0.1:0',
  MAILSTEAD_SUBMISSION_LISTEN: '127.0.0.1:0',
  MAILSTEAD_SUBMISSIONS_LISTEN: '127.0.0.1:0',
  MAILSTEAD_IMAPS_LISTEN: '127.0.0.1:0',
}

/** Tests ask as often as they like, but for those of the limits. */
export const UNLIMITED = {
  MAILSTEAD_RATE_LIMIT_PER_MINUTE: '0',
  MAILSTEAD_RATE_LIMIT_PER_HOUR: '0',
}

export async function testHouse(
  settings: Record<string, string> = {},
  rests?: Partial<Rests>,
): Promise<TestHouse> {
  await using opened = new AsyncDisposableStack()
  const database = opened.use(
    await testDatabase({ isStocked: settings.MAILSTEAD_SECRET_KEY === undefined }),
  )
  const { path: dataDir } = opened.use(await dataDirectory())
  const config = readConfig({
    ...FREE_PORTS,
    ...UNLIMITED,
    DATABASE_URL: database.url,
    MAILSTEAD_DATA_DIR: dataDir,
    MAILSTEAD_SECRET_KEY: STOCK_SECRET.toString('base64'),
    ...settings,
  })
  const logLines: string[] = []
  const logger = pino(
    { level: 'debug', base: null },
    { write: (line: string) => void logLines.push(line) },
  )
  const house = opened.use(await startMailstead({ config, logger, ...(rests && { rests }) }))
  const { store } = house
  const clientOf: TestHouse['clientOf'] = async ({
    workspace = FIRST_WORKSPACE,
    scopes = ['*'],
  }) => {
    await ensureWorkspace(store, workspace, 'a workspace')
    const { key } = await createApiKey(store, {
      workspaceId: workspace,
      world: 'sandbox',
      name: 'a test',
      scopes,
    })
    return new Client(house.api!, key)
  }
  const client = await clientOf({})
  const closing = opened.move()
  return {
    house,
    store,
    database,
    client,
    clientOf,
    logLines,
    dns: house.dns[0]!,
    smtp: house.smtp[0]!,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

export const anotherWorkspace = (): string => newId()
