/** The queue of outgoing mail: one attempt for each due row, with back-off for four days. */

import {
  type AttemptResult,
  type DeliverOptions,
  type Delivery,
  deliver,
} from '#drivers/sender/embedded/deliver.ts'
import type { Outcome, Taken } from '#engine/worker.ts'
import { clamp, days, hours, minutes } from '../clock.ts'

// RFC 5321 section 4.5.4.1: give up after four to five days.
const GIVE_UP_AFTER_MS = days(4)

export type Queued = Delivery & { createdAt: Date; maySend: boolean; options: DeliverOptions }

export type QueueBook = {
  load(row: Taken): Promise<Queued | undefined>
  note(row: Taken, result: AttemptResult): Promise<void>
}

/** One attempt at one queued message. */
export async function deliveryPass(
  row: Taken,
  book: QueueBook,
  now: () => Date,
  signal: AbortSignal,
): Promise<Outcome> {
  const queued = await book.load(row)
  if (queued === undefined) return { afterMs: days(1), failures: 0 }
  const result = await attempt(queued, now(), signal)
  await book.note(row, result)
  return { afterMs: retryMs(row.failures), failures: row.failures + 1 }
}

async function attempt(queued: Queued, now: Date, signal: AbortSignal): Promise<AttemptResult> {
  // Sending stops at once for a name that is no longer ours.
  if (!queued.maySend)
    return { is: 'failed', reply: '5.7.1 the domain is not ours to send for any more' }
  const result = await deliver(queued, queued.options, signal)
  const ageMs = now.getTime() - queued.createdAt.getTime()
  if (result.is !== 'deferred' || ageMs < GIVE_UP_AFTER_MS) return result
  return { is: 'failed', reply: `4.4.7 given up: ${result.reply}` }
}

/** 1 min, 2 min, 4 min … up to 4 h. */
const retryMs = (failures: number): number =>
  clamp(minutes(1) * 2 ** Math.min(failures, 12), minutes(1), hours(4))
