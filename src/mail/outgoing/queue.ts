/** The queue of outgoing mail: one attempt for each due row, with back-off for four days. */

import type { Outcome, Taken } from '#engine/worker.ts'
import { clamp, days, hours, minutes } from '../../clock.ts'
import { type AttemptResult, type Delivery, type TransferOptions, transfer } from './transfer.ts'

// RFC 5321 section 4.5.4.1: give up after four to five days.
const GIVE_UP_AFTER_MS = days(4)

/**
 * `held` while the domain may not send for now, `ended` when it never may again: its name is somebody
 * else's, or it is being removed.
 */
export type Sending = 'allowed' | 'held' | 'ended'

export type Queued = Delivery & { createdAt: Date; sending: Sending; options: TransferOptions }

export type QueueBook = {
  load(row: Taken, now: Date): Promise<Queued | undefined>
  note(row: Taken, result: AttemptResult): Promise<void>
}

/** `limitMs` is how long an attempt may take: who is slower is tried again later. */
export type QueueOptions = { now: () => Date; limitMs: number }

/** One attempt at one queued message. */
export async function deliveryPass(
  row: Taken,
  book: QueueBook,
  { now, limitMs }: QueueOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const at = now()
  const queued = await book.load(row, at)
  if (queued === undefined) return { afterMs: days(1), failures: 0 }
  const result = givenUp(
    await attempt(queued, limitMs, signal),
    at.getTime() - queued.createdAt.getTime(),
  )
  await book.note(row, result)
  return { afterMs: retryMs(row.failures), failures: row.failures + 1 }
}

async function attempt(
  queued: Queued,
  limitMs: number,
  signal: AbortSignal,
): Promise<AttemptResult> {
  if (queued.sending === 'ended') return ENDED
  if (queued.sending === 'held') return HELD
  const limit = AbortSignal.timeout(limitMs)
  try {
    return await transfer(queued, queued.options, AbortSignal.any([signal, limit]))
  } catch (error) {
    if (!limit.aborted || signal.aborted) throw error
    return TOO_SLOW
  }
}

// RFC 3463 section 3.8: X.7.1 is mail that policy keeps from being delivered.
const ENDED: AttemptResult = {
  is: 'failed',
  reply: '5.7.1 the domain is not ours to send for any more',
}
const TOO_SLOW: AttemptResult = { is: 'deferred', reply: '4.4.2 the attempt took too long' }
const HELD: AttemptResult = { is: 'deferred', reply: '4.7.1 held: the domain may not send for now' }

function givenUp(result: AttemptResult, ageMs: number): AttemptResult {
  if (result.is !== 'deferred' || ageMs < GIVE_UP_AFTER_MS) return result
  return { is: 'failed', reply: `4.4.7 given up: ${result.reply}` }
}

/** 1 min, 2 min, 4 min … up to 4 h. */
const retryMs = (failures: number): number =>
  clamp(minutes(1) * 2 ** Math.min(failures, 12), minutes(1), hours(4))
