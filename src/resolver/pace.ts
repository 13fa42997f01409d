/**
 * Limits the rate of queries to others' servers, over all processes: each has a share. Part of it is
 * reserved for urgent questions, so that a thousand waiting domains do not delay the one just added.
 */
import type { Clock } from '../clock.ts'

export type Urgency = 'asked' | 'routine'

/** Resolves when a question may be put to that server; rejects when the signal is aborted. */
export type Pace = (address: string, urgency: Urgency, signal: AbortSignal) => Promise<void>

/** Without a limit: for servers of our own. */
export const unpaced: Pace = async () => {}

/**
 * Less than the whole rate: queries sent evenly may arrive in bursts, a tenth of a second late, and the
 * server must not receive more.
 */
const SHARE: Record<Urgency, number> = { asked: 0.9, routine: 0.72 }
const SERVERS_REMEMBERED = 10_000
/** How often a process without a share looks whether it has one. */
const NO_SHARE_PAUSE_MS = 100

/**
 * Spaces messages to a server evenly, at most `perSecond()` in any second. The rate may change at any time,
 * and be 0.
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
 * The rate of one process. Whole numbers, so that all processes together stay within the limit in any
 * second; with more processes than questions, each asks more rarely than once a second.
 */
export function shareOf(perSecond: number, share: number): number {
  const questions = perSecond * share
  return questions >= 1 ? Math.floor(questions + ROUNDING) : questions
}

/** 3 * (1/3) must give 1. */
const ROUNDING = 1e-6

/** Sets no limit for the spared servers. */
export const paceExcept =
  (pace: Pace, isSpared: (address: string) => boolean): Pace =>
  async (address, urgency, signal) => {
    if (!isSpared(address)) await pace(address, urgency, signal)
  }
