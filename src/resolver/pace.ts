/**
 * Others' servers are asked at most so often. A share of it is kept for questions someone waits for,
 * so that a thousand waiting domains do not hold up the one just added.
 */
import type { Clock } from '../clock.ts'

export type Urgency = 'asked' | 'routine'

/** Resolves when a question may be put to that server; rejects when the signal is aborted. */
export type Pace = (address: string, urgency: Urgency, signal: AbortSignal) => Promise<void>

/** Without a limit: for servers of our own. */
export const unpaced: Pace = async () => {}

const KEPT_FOR_ASKED = 0.2
const SERVERS_REMEMBERED = 10_000

type Bucket = { tokens: number; filledAt: number }

/** A token bucket for each server, as large as one second's questions. */
export function paced(perSecond: number, clock: Clock): Pace {
  const buckets = new Map<string, Bucket>()

  function refill(address: string): Bucket {
    const now = clock.now().getTime()
    if (buckets.size >= SERVERS_REMEMBERED) buckets.clear()
    const bucket = buckets.get(address) ?? { tokens: perSecond, filledAt: now }
    bucket.tokens = Math.min(
      perSecond,
      bucket.tokens + ((now - bucket.filledAt) / 1000) * perSecond,
    )
    bucket.filledAt = now
    buckets.set(address, bucket)
    return bucket
  }

  return async (address, urgency, signal) => {
    const left = urgency === 'asked' ? 0 : perSecond * KEPT_FOR_ASKED
    for (;;) {
      signal.throwIfAborted()
      const bucket = refill(address)
      if (bucket.tokens >= 1 + left) {
        bucket.tokens -= 1
        return
      }
      await clock.sleep(Math.ceil(((1 + left - bucket.tokens) / perSecond) * 1000), signal)
    }
  }
}
