/**
 * Controls all calls to one account. Refused credentials stop all calls at once, because repeated
 * calls with a wrong key get our address banned (Mailcow reports them to fail2ban). After ten
 * failures in a row the account rests, so that we report an outage of the provider once, not once
 * for each domain.
 */
import { orAborted } from '../turns.ts'
import { DriverError, type DriverErrorKind } from './errors.ts'

export type Guard = {
  /**
   * Makes a call, or throws because the account rests. At the start and after each rest, one call runs
   * alone until the account has answered: the others wait for it, and share its failure.
   */
  run<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T>
  /**
   * Stops all calls for `ms`, because the provider refuses them; `undefined` if it named no time.
   */
  rest(ms: number | undefined, sentence: string): void
  /** Warns the operator of trouble that only an operator can repair; each sentence once an hour. */
  warn(sentence: string): void
}

export type GuardOptions = {
  account: string
  /** Milliseconds, from any fixed point. */
  now: () => number
  /** Receives a sentence for the operator. */
  onTrouble: (sentence: string) => void
  rests?: Partial<Rests>
}

/**
 * How long an account rests after refused credentials, failures in a row, and too many calls; and how
 * long a domain waits after a call that lacked a right. Milliseconds.
 */
export type Rests = {
  refusedMs: number
  failingMs: number
  throttledMs: number
  forbiddenMs: number
}

const FAILURES_IN_A_ROW = 10
const RESTS: Rests = {
  refusedMs: 3_600_000,
  failingMs: 60_000,
  throttledMs: 60_000,
  forbiddenMs: 900_000,
}
const WARN_AGAIN_MS = 3_600_000

export function accountGuard({ account, now, onTrouble, ...options }: GuardOptions): Guard {
  const rests = { ...RESTS, ...options.rests }
  const warnedAt = new Map<string, number>()
  let failures = 0
  let hasAnswered = false
  /** The result of the call that runs alone: its error, or undefined if others do not share it. */
  let trial: Promise<DriverError | undefined> | undefined
  let resting: { untilMs: number; kind: DriverErrorKind; sentence: string } | undefined

  function rest(ms: number, kind: DriverErrorKind, sentence: string): void {
    // A short rest must not end a long one: after refused credentials each call adds to a ban.
    if (resting && resting.untilMs > now() + ms) return
    const isReported = resting?.sentence === sentence && resting.untilMs > now()
    resting = { untilMs: now() + ms, kind, sentence }
    if (!isReported) onTrouble(`The account ${account} rests. ${sentence}`)
  }

  function warn(sentence: string): void {
    if (now() - (warnedAt.get(sentence) ?? Number.NEGATIVE_INFINITY) < WARN_AGAIN_MS) return
    warnedAt.set(sentence, now())
    onTrouble(`The account ${account} needs its operator. ${sentence}`)
  }

  function throwWhileResting(): void {
    if (resting === undefined) return
    const { kind, sentence, untilMs } = resting
    const retryAfterMs = untilMs - now()
    if (retryAfterMs > 0) throw new DriverError(kind, sentence, { retryAfterMs })
    resting = undefined
    hasAnswered = false
  }

  function answered(): void {
    failures = 0
    hasAnswered = true
  }

  /** Returns the error to throw, with the time of the next call where the account rests now. */
  function failed(error: DriverError): DriverError {
    const { kind, message } = error
    if (kind === 'forbidden') {
      // The credentials are valid: other calls go on.
      answered()
      warn(message)
      return new DriverError(kind, message, { cause: error, retryAfterMs: rests.forbiddenMs })
    }
    if (kind === 'unauthorized') {
      rest(rests.refusedMs, kind, message)
      return new DriverError(kind, message, { cause: error, retryAfterMs: rests.refusedMs })
    }
    if (kind === 'unavailable' && ++failures >= FAILURES_IN_A_ROW) {
      failures = 0
      // As `throttled`, which does not count against a domain: the driver pauses.
      rest(rests.failingMs, 'throttled', message)
    }
    return error
  }

  async function watched<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    try {
      const answer = await call()
      answered()
      return answer
    } catch (error) {
      if (signal.aborted || !(error instanceof DriverError)) throw error
      throw failed(error)
    }
  }

  /** An aborted call proves nothing: the next waiting one runs alone. */
  async function tryAlone<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const ended = Promise.withResolvers<DriverError | undefined>()
    trial = ended.promise
    let trouble: DriverError | undefined
    try {
      return await watched(call, signal)
    } catch (error) {
      if (!hasAnswered && !signal.aborted && error instanceof DriverError) trouble = error
      throw error
    } finally {
      trial = undefined
      ended.resolve(trouble)
    }
  }

  return {
    async run(call, signal) {
      throwWhileResting()
      while (!hasAnswered && trial) {
        const trouble = await orAborted(trial, signal)
        if (trouble) throw trouble
        throwWhileResting()
      }
      return hasAnswered ? watched(call, signal) : tryAlone(call, signal)
    },
    rest: (ms = rests.throttledMs, sentence) => rest(ms, 'throttled', sentence),
    warn,
  }
}
