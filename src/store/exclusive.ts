import { sql } from 'kysely'
import { DriverError } from '#drivers/errors.ts'
import type { Exclusive } from '#drivers/kind.ts'
import { takeTurns } from '../turns.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'

const WAIT_LIMIT = '30s'

/**
 * Turns between processes by an advisory lock, which ends with its connection and so outlives nobody;
 * within this process by a queue, so that one connection at most waits for each key.
 */
export function exclusiveStore({ db }: StoreContext): Exclusive {
  const inTurn = takeTurns()
  return (key, work, signal) =>
    inTurn(key, () => {
      signal.throwIfAborted()
      return db.transaction().execute(async (tx) => {
        await sql`select set_config('lock_timeout', ${WAIT_LIMIT}, true)`.execute(tx)
        await lock(tx, key)
        return work()
      })
    })
}

async function lock(tx: Queryable, key: string): Promise<void> {
  try {
    await sql`select pg_advisory_xact_lock(hashtextextended(${`exclusive ${key}`}, 0))`.execute(tx)
  } catch (error) {
    // 55P03: lock_not_available.
    if ((error as { code?: string }).code !== '55P03') throw error
    throw new DriverError('unavailable', 'Another process is at the same work for too long.')
  }
}
