import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { DriverError } from '#drivers/errors.ts'
import type { Exclusive } from '#drivers/kind.ts'
import { newId } from '../ids.ts'
import { takeTurns } from '../turns.ts'
import type { StoreContext } from './context.ts'
import type { Database } from './database.ts'

/** A turn that nobody renews is over after so long: its process has died. */
const LEASE_MS = 8000
const RENEW_MS = 2000
const LOOK_MS = 50
const WAIT_LIMIT_MS = 30_000

/**
 * Turns between processes by a row with a lease, so that no connection is held while a provider takes
 * its time; within this process by a queue. Who waits gives up when its signal is aborted.
 */
export function exclusiveStore({ db }: Pick<StoreContext, 'db'>): Exclusive {
  const inTurn = takeTurns()
  return async (key, work, signal) => {
    const mine = inTurn(key, async () => {
      const holder = newId()
      await takeTurn(db, key, holder, signal)
      const renewal = setInterval(() => void renew(db, key, holder), RENEW_MS)
      try {
        return await work()
      } finally {
        clearInterval(renewal)
        await db.deleteFrom('turns').where('key', '=', key).where('holder', '=', holder).execute()
      }
    })
    return Promise.race([mine, aborted(signal)])
  }
}

async function takeTurn(db: Database, key: string, holder: string, signal: AbortSignal) {
  for (let waitedMs = 0; waitedMs < WAIT_LIMIT_MS; waitedMs += LOOK_MS) {
    signal.throwIfAborted()
    const taken = await sql`
      insert into turns (key, holder, lease_until)
      values (${key}, ${holder}, now() + ${LEASE_MS} * interval '1 ms')
      on conflict (key) do update set holder = excluded.holder, lease_until = excluded.lease_until
        where turns.lease_until < now()
      returning key`.execute(db)
    if (taken.rows.length > 0) return
    await delay(LOOK_MS, undefined, { signal })
  }
  throw new DriverError('unavailable', 'Another process is at the same work for too long.')
}

/** When it fails the lease runs out, and somebody else may begin: that is what a lease is for. */
async function renew(db: Database, key: string, holder: string): Promise<void> {
  await sql`
    update turns set lease_until = now() + ${LEASE_MS} * interval '1 ms'
     where key = ${key} and holder = ${holder}`
    .execute(db)
    .catch(() => undefined)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
