/** How a verdict becomes a stored condition. Pure. */
import type { Stage } from './lifecycle.ts'
import { isDone, stageOf } from './lifecycle.ts'
import type { Condition, Verdict } from './types.ts'
import { WAITS_FOR_OTHERS } from './waits.ts'

/** Lateness beyond this is our fault, and does not count as waiting. */
const LATENESS_MS = 60_000

/**
 * The condition after a completed look that began at `beganAt`. A condition that waits past its limit
 * fails.
 */
export function afterLook(
  stage: Stage,
  before: Condition | undefined,
  found: Verdict,
  beganAt: Date,
): Condition {
  const countedMs = isDone(found) ? 0 : countedMsOf(before, beganAt)
  const waitedMs = isDone(found) ? 0 : (before?.waitedMs ?? 0) + countedMs
  const unmetMs = isDone(found) ? 0 : (before?.unmetMs ?? 0) + countedMs
  const verdict = keepFailed(before, giveUp(stage, found, waitedMs))
  const isSameKind = before !== undefined && isDone(before.verdict) === isDone(verdict)
  return {
    verdict,
    since: isSameKind ? before.since : beganAt,
    waitedMs,
    unmetMs,
    lastLookAt: beganAt,
    lastLookError: undefined,
    nextLookAt: undefined,
  }
}

/** The condition after a look that could not be taken: the verdict stays. */
export function afterFailedLook(before: Condition, message: string): Condition {
  return { ...before, lastLookError: message }
}

/** A failed condition stays failed until a retry, or until a look finds it met. */
function keepFailed(before: Condition | undefined, found: Verdict): Verdict {
  return before?.verdict.is === 'failed' && found.is === 'waiting' ? before.verdict : found
}

function giveUp(stage: Stage, found: Verdict, waitedMs: number): Verdict {
  if (found.is !== 'waiting' || waitedMs < limitOf(stage, found.reason)) return found
  return { is: 'failed', reason: found.reason, message: `Given up: ${found.message}` }
}

const limitOf = ({ giveUpAfterMs }: Stage, reason: string): number =>
  WAITS_FOR_OTHERS.includes(reason) ? stageOf('delegated').giveUpAfterMs : giveUpAfterMs

/**
 * Counts only time between two completed looks that found it unmet: neither our downtime nor a single look
 * fails a domain.
 */
function countedMsOf(before: Condition | undefined, now: Date): number {
  if (!before?.lastLookAt || before.lastLookError !== undefined || isDone(before.verdict)) return 0
  const plannedMs = (before.nextLookAt ?? before.lastLookAt).getTime() - before.lastLookAt.getTime()
  return Math.max(0, Math.min(now.getTime() - before.lastLookAt.getTime(), plannedMs + LATENESS_MS))
}

/**
 * Whether a look in time found the same as the one before it: then only the time of the look is recorded.
 */
export function isRepeatedLook(before: Condition | undefined, after: Condition): boolean {
  if (!before?.lastLookAt || !after.lastLookAt || before.lastLookError !== undefined) return false
  if (!isSameVerdict(before.verdict, after.verdict)) return false
  const passedMs = after.lastLookAt.getTime() - before.lastLookAt.getTime()
  return isDone(after.verdict) || after.waitedMs - before.waitedMs === passedMs
}

/** The condition after a later look that saw no change. */
export function afterRepeatedLook(condition: Condition, at: Date): Condition {
  const passedMs = at.getTime() - (condition.lastLookAt ?? at).getTime()
  if (passedMs <= 0) return condition
  if (isDone(condition.verdict)) return { ...condition, lastLookAt: at }
  const [waitedMs, unmetMs] = [condition.waitedMs + passedMs, condition.unmetMs + passedMs]
  return { ...condition, lastLookAt: at, waitedMs, unmetMs }
}

/** Whether two verdicts are equal: then nothing new is written. */
export const isSameVerdict = (a: Verdict | undefined, b: Verdict): boolean =>
  JSON.stringify(a) === JSON.stringify(b)
