/** A store on a database of its own, for what is tested below HTTP. */
import type { ClientConfig } from 'pg'
import { openDoorbell } from '#engine/doorbell.ts'
import type { StoreContext } from '#store/context.ts'
import { openDatabase } from '#store/database.ts'
import { openVault } from '#store/vault.ts'
import { STOCK_SECRET, testDatabase } from './database.ts'

export type TestStore = AsyncDisposable & StoreContext & { connection: ClientConfig }

export async function testStore(): Promise<TestStore> {
  await using opened = new AsyncDisposableStack()
  const { connection } = opened.use(await testDatabase({ isStocked: true }))
  const onError = () => undefined
  const db = openDatabase(connection, { onError })
  opened.defer(() => db.destroy())
  const doorbell = opened.use(await openDoorbell(db, connection, onError))
  const vault = openVault(STOCK_SECRET)
  const closing = opened.move()
  return { db, doorbell, vault, connection, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}
