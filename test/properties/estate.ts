/** One house that can be closed and opened again on its database, with two workspaces as its users. */
import { pino } from 'pino'
import { readConfig } from '#config/settings.ts'
import { type Running, startMailstead } from '#runtime/start.ts'
import { createApiKey, ensureWorkspace } from '#store/api-keys.ts'
import { type StoreContext, TOPICS } from '#store/context.ts'
import { openDatabase } from '#store/database.ts'
import { Client } from '../client.ts'
import { testDatabase } from '../database.ts'
import { dataDirectory } from '../directories.ts'
import { anotherWorkspace, FREE_PORTS, UNLIMITED } from '../house.ts'

export type Estate = AsyncDisposable & {
  /** Outlives the houses. */
  db: StoreContext['db']
  /** The house as it stands now, and its two users. */
  now(): { dns: string; users: readonly [Client, Client] }
  /** Tells the worker that rows have become due. */
  ring(): void
  /** Ends the house in the middle of whatever it does, and opens it again. */
  crash(): Promise<void>
  /** Log lines of trouble that nobody expects. */
  trouble: string[]
}

export async function openEstate(): Promise<Estate> {
  await using opened = new AsyncDisposableStack()
  const database = opened.use(await testDatabase())
  const { path: dataDir } = opened.use(await dataDirectory())
  const config = readConfig({
    ...FREE_PORTS,
    ...UNLIMITED,
    DATABASE_URL: database.url,
    MAILSTEAD_DATA_DIR: dataDir,
    MAILSTEAD_PENDING_CLAIMS_PER_NAME: '1000',
    MAILSTEAD_ADDS_PER_NAME_PER_HOUR: '1000',
  })
  const trouble: string[] = []
  const write = (line: string) => void trouble.push(line)
  const open = () =>
    startMailstead({ config, logger: pino({ level: 'error', base: null }, { write }) })
  let house: Running = await open()
  opened.defer(() => house[Symbol.asyncDispose]())
  const keys = [await keyOf(house.store), await keyOf(house.store)] as const
  const db = openDatabase(database.connection, { onError: () => undefined })
  opened.defer(() => db.destroy())
  const usersOf = ({ api }: Running) =>
    [new Client(api!, keys[0]), new Client(api!, keys[1])] as const
  let users = usersOf(house)
  const closing = opened.move()
  return {
    db,
    trouble,
    now: () => ({ dns: house.dns[0]!, users }),
    ring: () => house.store.doorbell.ring(TOPICS.domainsDue),
    async crash() {
      await house[Symbol.asyncDispose]()
      house = await open()
      users = usersOf(house)
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

async function keyOf(store: StoreContext): Promise<string> {
  const workspaceId = anotherWorkspace()
  await ensureWorkspace(store, workspaceId, 'a workspace')
  const wanted = { workspaceId, world: 'sandbox' as const, name: 'a test', scopes: ['*'] }
  return (await createApiKey(store, wanted)).key
}
