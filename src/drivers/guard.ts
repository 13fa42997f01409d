/**
 * Stands before every call to one account. Refused credentials end its work at once: a wrong key that
 * is tried again and again gets our address banned (Mailcow feeds such tries to fail2ban). Ten failures
 * in a row let it rest: an outage of the provider's is told once, not once a domain.
 */
import { DriverError, type DriverErrorKind } from './errors.ts'

export type Guard = {
  /** Throws when the account rests. */
  admit(): void
  answered(): void
  /** Gives the error to throw: one that says when the account will be asked again, where it rests now. */
  failed(error: DriverError): DriverError
  /** No call for so long, because the provider would refuse them all; undefined where it names no time. */
  rest(ms: number | undefined, sentence: string): void
}

export type GuardOptions = {
  account: string
  /** Milliseconds, from any fixed point. */
  now: () => number
  /** Told once each time the account begins to rest: a sentence for the operator. */
  onRest: (sentence: string) => void
  rests?: Partial<Rests>
}

/** How long an account rests after refused credentials, failures in a row, and too many calls; milliseconds. */
export type Rests = { refusedMs: number; failingMs: number; throttledMs: number }

const FAILURES_IN_A_ROW = 10
const RESTS: Rests = { refusedMs: 3_600_000, failingMs: 60_000, throttledMs: 60_000 }

export function accountGuard({ account, now, onRest, ...options }: GuardOptions): Guard {
  const rests = { ...RESTS, ...options.rests }
  let failures = 0
  let resting: { untilMs: number; kind: DriverErrorKind; sentence: string } | undefined
  const rest = (ms: number, kind: DriverErrorKind, sentence: string) => {
    // A short rest must not end a long one: after refused credentials every call counts.
    if (resting && resting.untilMs > now() + ms) return
    resting = { untilMs: now() + ms, kind, sentence }
    onRest(`The account ${account} rests. ${sentence}`)
  }
  return {
    rest: (ms = rests.throttledMs, sentence) => rest(ms, 'throttled', sentence),
    admit() {
      if (resting === undefined) return
      const retryAfterMs = resting.untilMs - now()
      if (retryAfterMs <= 0) resting = undefined
      else throw new DriverError(resting.kind, resting.sentence, { retryAfterMs })
    },
    answered() {
      failures = 0
    },
    failed(error) {
      const { kind, message } = error
      if (kind === 'unauthorized') {
        rest(rests.refusedMs, kind, message)
        return new DriverError(kind, message, { cause: error, retryAfterMs: rests.refusedMs })
      }
      if (kind === 'unavailable' && ++failures >= FAILURES_IN_A_ROW) {
        failures = 0
        // As `throttled`, which counts for nothing: it is the driver that is paused, not the domains.
        rest(rests.failingMs, 'throttled', message)
      }
      return error
    },
  }
}
