/** Tries the log-ins of an inbox at another provider. */
import { tryInThread } from './attempts.ts'
import {
  type ElsewhereRules,
  type Failure,
  LogInFailed,
  type Place,
  type Protocol,
  placesOf,
  type ServerOf,
  type SmtpAccount,
} from './servers.ts'

/** Whether a log-in works; if not, why. */
export type LogInResult = { protocol: Protocol; failure: Failure | undefined }

const LIMIT_MS = 10_000

/** Both log-ins, IMAP only once SMTP has worked: providers count refused ones. */
export async function tryLogIns(
  account: SmtpAccount,
  rules: ElsewhereRules,
  signal: AbortSignal,
): Promise<readonly LogInResult[]> {
  const smtp = await tryLogIn('smtp', account.smtp, rules, signal)
  if (smtp.failure !== undefined) return [smtp]
  return [smtp, await tryLogIn('imap', account.imap, rules, signal)]
}

async function tryLogIn(
  protocol: Protocol,
  server: ServerOf,
  rules: ElsewhereRules,
  signal: AbortSignal,
): Promise<LogInResult> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])
  try {
    const places = await placesOf(protocol, server, rules, limit)
    await firstThatAnswers(places, (place) =>
      tryInThread({ protocol, place, logIn: server.logIn, mailHost: rules.mailHost }, limit),
    )
    return { protocol, failure: undefined }
  } catch (error) {
    signal.throwIfAborted()
    if (limit.aborted) return { protocol, failure: 'timed_out' }
    if (error instanceof LogInFailed) return { protocol, failure: error.failure }
    throw error
  }
}

/** A log-in is tried once: another address is asked only where there was no conversation. */
async function firstThatAnswers(
  places: readonly Place[],
  attempt: (place: Place) => Promise<void>,
): Promise<void> {
  const [place, ...others] = places
  try {
    await attempt(place!)
  } catch (error) {
    const isOver = !(error instanceof LogInFailed) || error.failure === 'log_in_rejected'
    if (isOver || others.length === 0) throw error
    await firstThatAnswers(others, attempt)
  }
}
