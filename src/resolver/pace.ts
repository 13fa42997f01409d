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
/** A second, and some for what a message may be late by: it is the server's own log that must not show more. */
const WINDOW_MS = 1050

/** At most `perSecond` messages to a server in any second, however they came before. */
export function paced(perSecond: number, clock: Clock): Pace {
  const sent = new Map<string, number[]>()
  const limits = {
    asked: perSecond,
    routine: Math.max(1, Math.floor(perSecond * (1 - KEPT_FOR_ASKED))),
  }

  /** When the messages of the last second went to that server, the oldest first. */
  function lately(address: string): number[] {
    const since = clock.now().getTime() - WINDOW_MS
    const times = sent.get(address) ?? []
    while (times.length > 0 && times[0]! <= since) times.shift()
    if (sent.size >= SERVERS_REMEMBERED) sent.clear()
    sent.set(address, times)
    return times
  }

  return async (address, urgency, signal) => {
    for (;;) {
      signal.throwIfAborted()
      const times = lately(address)
      const now = clock.now().getTime()
      const limit = limits[urgency]
      if (times.length < limit) {
        times.push(now)
        return
      }
      await clock.sleep(times.at(-limit)! + WINDOW_MS - now, signal)
    }
  }
}
