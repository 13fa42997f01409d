/**
 * Others' servers are asked at most so often, by all processes together: each has a share. A part of it is
 * kept for questions someone waits for, so that a thousand waiting domains do not hold up the one just added.
 */
import type { Clock } from '../clock.ts'

export type Urgency = 'asked' | 'routine'

/** Resolves when a question may be put to that server; rejects when the signal is aborted. */
export type Pace = (address: string, urgency: Urgency, signal: AbortSignal) => Promise<void>

/** Without a limit: for servers of our own. */
export const unpaced: Pace = async () => {}

/**
 * Less than all: it is the server's own log that must not show more, and what was sent evenly may arrive
 * in a heap, a tenth of a second late.
 */
const SHARE: Record<Urgency, number> = { asked: 0.9, routine: 0.72 }
const SERVERS_REMEMBERED = 10_000
/** How often a process without a share looks whether it has one. */
const NO_SHARE_PAUSE_MS = 100

/**
 * Messages to a server one after the other, evenly, at most `perSecond()` in any second. That may change at
 * any time, and be none at all.
 */
export function paced(perSecond: () => number, clock: Clock): Pace {
  const sentAt = new Map<string, number>()

  return async (address, urgency, signal) => {
    for (;;) {
      signal.throwIfAborted()
      const rate = perSecond()
      const now = clock.now().getTime()
      const gapMs = 1000 / (rate * SHARE[urgency])
      const waitMs =
        rate > 0
          ? (sentAt.get(address) ?? Number.NEGATIVE_INFINITY) + gapMs - now
          : NO_SHARE_PAUSE_MS
      if (waitMs <= 0) {
        if (sentAt.size >= SERVERS_REMEMBERED) sentAt.clear()
        sentAt.set(address, now)
        return
      }
      await clock.sleep(Math.ceil(waitMs), signal)
    }
  }
}

/**
 * What a share of so many questions a second comes to. Whole numbers, so that those of all processes add up
 * to no more in any second; with more processes than questions, each asks more rarely than once a second.
 */
export function shareOf(perSecond: number, share: number): number {
  const questions = perSecond * share
  return questions >= 1 ? Math.floor(questions + ROUNDING) : questions
}

/** A third of three is one. */
const ROUNDING = 1e-6

/** For servers that may be asked as often as we like. */
export const sparing =
  (pace: Pace, isSpared: (address: string) => boolean): Pace =>
  async (address, urgency, signal) => {
    if (!isSpared(address)) await pace(address, urgency, signal)
  }
