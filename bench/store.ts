import { openDoorbell } from '#engine/doorbell.ts'
import { startPostgres } from '#postgres/embedded.ts'
import type { StoreContext } from '#store/context.ts'
import { openDatabase } from '#store/database.ts'
import { migrate } from '#store/migrate.ts'
import { openVault } from '#store/vault.ts'
import { temporaryDirectory } from '../test/directories.ts'

/** Uses its own Postgres, which writes to the disk. */
export async function openStore(opened: AsyncDisposableStack): Promise<StoreContext> {
  const { path: dataDir } = opened.use(await temporaryDirectory())
  const onError = (error: unknown) => console.error(error)
  const { connection } = opened.use(await startPostgres({ dataDir, onLog: () => {} }))
  await migrate(connection, onError)
  const db = openDatabase(connection, { onError })
  opened.defer(() => db.destroy())
  const doorbell = opened.use(await openDoorbell(db, connection, onError))
  return { db, doorbell, vault: openVault(Buffer.alloc(32, 7)) }
}
