/**
 * Stands before every call to one account. Refused credentials end its work at once: a wrong key that
 * is tried again and again gets our address banned (Mailcow feeds such tries to fail2ban). Ten failures
 * in a row let it rest: an outage of the provider's is told once, not once a domain.
 */
import { orAborted } from '../turns.ts'
import { DriverError, type DriverErrorKind } from './errors.ts'

export type Guard = {
  /**
   * Makes a call, or throws because the account rests. Until the account has answered, at the start and
   * after each rest, one call is under way alone: the others wait for it, and fare as it does.
   */
  run<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T>
  /** No call for so long, because the provider would refuse them all; undefined where it names no time. */
  rest(ms: number | undefined, sentence: string): void
  /** Tells the operator what only an operator can mend: the same once an hour, however often it is met. */
  tell(sentence: string): void
}

export type GuardOptions = {
  account: string
  /** Milliseconds, from any fixed point. */
  now: () => number
  /** Takes a sentence for the operator. */
  onTrouble: (sentence: string) => void
  rests?: Partial<Rests>
}

/**
 * How long an account rests after refused credentials, failures in a row, and too many calls; and how
 * long the one waits who lacked a right. Milliseconds.
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
const TELL_AGAIN_MS = 3_600_000

export function accountGuard({ account, now, onTrouble, ...options }: GuardOptions): Guard {
  const rests = { ...RESTS, ...options.rests }
  const toldAt = new Map<string, number>()
  let failures = 0
  let hasAnswered = false
  /** How the call ends that is under way alone: with its trouble, or with none that others share. */
  let trial: Promise<DriverError | undefined> | undefined
  let resting: { untilMs: number; kind: DriverErrorKind; sentence: string } | undefined

  function rest(ms: number, kind: DriverErrorKind, sentence: string): void {
    // A short rest must not end a long one: after refused credentials every call counts.
    if (resting && resting.untilMs > now() + ms) return
    const isTold = resting?.sentence === sentence && resting.untilMs > now()
    resting = { untilMs: now() + ms, kind, sentence }
    if (!isTold) onTrouble(`The account ${account} rests. ${sentence}`)
  }

  function tell(sentence: string): void {
    if (now() - (toldAt.get(sentence) ?? Number.NEGATIVE_INFINITY) < TELL_AGAIN_MS) return
    toldAt.set(sentence, now())
    onTrouble(`The account ${account} needs a hand. ${sentence}`)
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

  /** Gives the error to throw: one that says when the account will be asked again, where it rests now. */
  function failed(error: DriverError): DriverError {
    const { kind, message } = error
    if (kind === 'forbidden') {
      // The credentials are right: what else they are good for goes on.
      answered()
      tell(message)
      return new DriverError(kind, message, { cause: error, retryAfterMs: rests.forbiddenMs })
    }
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

  /** Who is aborted under way has found out nothing: one of those that wait tries next. */
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
    tell,
  }
}
