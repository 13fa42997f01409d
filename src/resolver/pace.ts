/**
 * Others' servers are asked at most so often. A share of it is kept for questions someone waits for, so
 * that a thousand waiting domains do not hold up the one just added.
 */
import type { Clock } from '../clock.ts'

export type Urgency = 'asked' | 'routine'

/** Resolves when a question may be put to that server; rejects when the signal is aborted. */
export type Pace = (address: string, urgency: Urgency, signal: AbortSignal) => Promise<void>

/** Without a limit: for servers of our own. */
export const unpaced: Pace = async () => {}

/** A little less than all, for it is the server's own log that must not show more, whatever comes late. */
const SHARE: Record<Urgency, number> = { asked: 0.95, routine: 0.76 }
const SERVERS_REMEMBERED = 10_000

/** At most `perSecond` messages to a server in any second: one after the other, evenly. */
export function paced(perSecond: number, clock: Clock): Pace {
  const sentAt = new Map<string, number>()

  return async (address, urgency, signal) => {
    const gapMs = 1000 / (perSecond * SHARE[urgency])
    for (;;) {
      signal.throwIfAborted()
      const now = clock.now().getTime()
      const waitMs = (sentAt.get(address) ?? Number.NEGATIVE_INFINITY) + gapMs - now
      if (waitMs <= 0) {
        if (sentAt.size >= SERVERS_REMEMBERED) sentAt.clear()
        sentAt.set(address, now)
        return
      }
      await clock.sleep(Math.ceil(waitMs), signal)
    }
  }
}
