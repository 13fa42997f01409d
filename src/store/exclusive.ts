import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { DriverError } from '#drivers/errors.ts'
import type { Exclusive } from '#drivers/kind.ts'
import { newId } from '../ids.ts'
import { orAborted, takeTurns } from '../turns.ts'
import type { StoreContext } from './context.ts'
import type { Database } from './database.ts'

/** A turn ends so long after its last renewal, because its process has died. */
const LEASE_MS = 8000
const LOOK_MS = 50
const WAIT_LIMIT_MS = 30_000

type Turn = { db: Database; key: string; holder: string; leaseMs: number }

/**
 * Runs work under exclusive locks. Processes take turns by a row with a lease, so that no
 * connection is held during calls to a provider; within this process, a queue orders the work. A
 * waiter gives up when its signal aborts.
 */
export function exclusiveStore(
  { db }: Pick<StoreContext, 'db'>,
  { leaseMs = LEASE_MS }: { leaseMs?: number } = {},
): Exclusive {
  const inTurn = takeTurns()
  return async (key, work, signal) => {
    const mine = inTurn(key, async () => {
      const turn = { db, key, holder: newId(), leaseMs }
      await takeTurn(turn, signal)
      const lease = keepLease(turn)
      try {
        return await work(AbortSignal.any([signal, lease.lost]))
      } finally {
        lease.stop()
        await db
          .deleteFrom('turns')
          .where('key', '=', key)
          .where('holder', '=', turn.holder)
          .execute()
      }
    })
    return orAborted(mine, signal)
  }
}

async function takeTurn({ db, key, holder, leaseMs }: Turn, signal: AbortSignal): Promise<void> {
  for (let waitedMs = 0; waitedMs < WAIT_LIMIT_MS; waitedMs += LOOK_MS) {
    signal.throwIfAborted()
    const taken = await sql`
      insert into turns (key, holder, lease_until)
      values (${key}, ${holder}, now() + ${leaseMs} * interval '1 ms')
      on conflict (key) do update set holder = excluded.holder, lease_until = excluded.lease_until
        where turns.lease_until < now()
      returning key`.execute(db)
    if (taken.rows.length > 0) return
    await delay(LOOK_MS, undefined, { signal })
  }
  throw new DriverError('unavailable', 'Another process has done the same work for too long.')
}

/**
 * Renews the lease four times in its duration. The turn is lost if another process has taken it, or
 * if no renewal succeeds for two thirds of the lease: another process may take it soon.
 */
function keepLease(turn: Turn): { lost: AbortSignal; stop(): void } {
  const loss = new AbortController()
  let renewedMs = performance.now()
  const lose = () =>
    loss.abort(new DriverError('unavailable', 'Another process may do the same work by now.'))
  const look = async () => {
    const nowMs = performance.now()
    if (nowMs - renewedMs > (turn.leaseMs * 2) / 3) return lose()
    const isRenewed = await renew(turn)
    if (isRenewed) renewedMs = Math.max(renewedMs, nowMs)
    if (isRenewed === false) lose()
  }
  const renewal = setInterval(() => void look(), turn.leaseMs / 4)
  return { lost: loss.signal, stop: () => clearInterval(renewal) }
}

/** Whether the turn is still ours; undefined when the database did not answer. */
async function renew({ db, key, holder, leaseMs }: Turn): Promise<boolean | undefined> {
  try {
    const renewed = await sql`
      update turns set lease_until = now() + ${leaseMs} * interval '1 ms'
       where key = ${key} and holder = ${holder} returning key`.execute(db)
    return renewed.rows.length > 0
  } catch {
    return undefined
  }
}
