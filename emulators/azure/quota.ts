/** Limits for a minute and an hour, over a sliding window. */

export type Limits = { perMinute: number; perHour: number }

export type Quota = {
  /** Undefined when granted, otherwise the seconds to wait. */
  take(): number | undefined
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** A limit of 0 is no limit. */
export function newQuota({ perMinute, perHour }: Limits, now: () => number): Quota {
  const windows = [
    { limit: perMinute, ms: MINUTE_MS },
    { limit: perHour, ms: HOUR_MS },
  ].filter(({ limit }) => limit > 0)
  let taken: number[] = []
  return {
    take() {
      const time = now()
      taken = taken.filter((at) => at > time - HOUR_MS)
      const waits = windows.map(({ limit, ms }) => waitMs(taken, limit, ms, time))
      const wait = Math.max(0, ...waits)
      if (wait > 0) return Math.ceil(wait / 1000)
      taken.push(time)
      return undefined
    },
  }
}

function waitMs(taken: readonly number[], limit: number, ms: number, time: number): number {
  const oldestThatCounts = taken.at(-limit)
  return oldestThatCounts === undefined ? 0 : oldestThatCounts + ms - time
}
