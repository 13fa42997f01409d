/**
 * All users of the token share one budget; exceeding it blocks them for five minutes. Answers have the
 * rest, `Ratelimit: "default";r=112;t=34`: 112 calls for 34 seconds. Between two answers we count down
 * our own calls, because many are under way at once.
 */
import type { Guard } from '../../guard.ts'
import type { HttpAnswer } from '../../http.ts'

/** Below so many calls the account rests: each other process may have 32 under way. */
const RESERVE = 100
/** Windows whose ends differ by less are the same one: the header has whole seconds. */
const SAME_WINDOW_MS = 5000

/** Makes a call, and counts it. */
export type Budget = (call: () => Promise<HttpAnswer>) => Promise<HttpAnswer>

export function requestBudget(guard: Guard, now: () => number): Budget {
  let left = Number.POSITIVE_INFINITY
  let endsMs = Number.NEGATIVE_INFINITY
  let underWay = 0

  function restWhenLow(): void {
    if (left >= RESERVE) return
    guard.rest(endsMs - now(), "Cloudflare's budget of requests is used up for now.")
  }

  function heed({ headers }: HttpAnswer): void {
    const written = headers.get('ratelimit') ?? ''
    const [, calls, seconds] = /r=(\d{1,9});\s*t=(\d{1,6})/.exec(written) ?? []
    if (calls === undefined) return
    const newEndsMs = now() + Number(seconds) * 1000
    const isSameWindow = Math.abs(newEndsMs - endsMs) < SAME_WINDOW_MS
    const known = Number(calls) - underWay
    // An answer that arrives out of order has too high a count.
    left = isSameWindow ? Math.min(left, known) : known
    endsMs = newEndsMs
    restWhenLow()
  }

  return async (call) => {
    if (now() >= endsMs) left = Number.POSITIVE_INFINITY
    left -= 1
    restWhenLow()
    underWay += 1
    const answer = await call().finally(() => {
      underWay -= 1
    })
    heed(answer)
    return answer
  }
}
