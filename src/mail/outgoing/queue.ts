/**
 * Makes the attempts of queued messages: loads and records them in batches, and shares places
 * fairly.
 */
import type { Outcome, Taken } from '#engine/worker.ts'
import { batched } from '../../batched.ts'
import { backOffMs, days, hours, minutes } from '../../clock.ts'
import { obstacleTo, SendingStopped } from './gate.ts'
import { type AttemptResult, type QueuedMail, SENT_AGAIN } from './mail.ts'
import type { Shares, Taking } from './shares.ts'

/** RFC 5321 section 4.5.4.1: give up after four to five days. */
const GIVE_UP_AFTER_MS = days(4)

/** The state of a message after an attempt, or after an obstacle prevented the attempt. */
export type AttemptRecord = {
  row: Taken
  result: AttemptResult
  afterMs: number
  failures: number
  isAttempt: boolean
}

export type QueueOptions = {
  load(ids: readonly string[]): Promise<readonly QueuedMail[]>
  /** Writes the results of all attempts, and releases their rows. */
  record(attempts: readonly AttemptRecord[]): Promise<void>
  /** Rejects with `SendingStopped` when the message does not leave because all sending is stopped. */
  attempt(mail: QueuedMail, signal: AbortSignal): Promise<AttemptResult>
  /** Called if no attempt follows, before that is recorded: a crash may repeat the call. */
  onFailed(mail: QueuedMail, result: AttemptResult): Promise<void>
  now(): Date
  /** How long an attempt may take; after that it is tried again later. */
  limitMs: number
  shares: Shares
}

const LOADED_AT_ONCE = 50
const RECORDED_AT_ONCE = 50
/** After a crash, the queue repeats messages that it sent within this time and did not record. */
const RECORDED_WITHIN_MS = 20

export class Queue {
  readonly #options: QueueOptions
  readonly #load: (id: string) => Promise<QueuedMail | undefined>
  readonly #record: (attempt: AttemptRecord) => Promise<void>

  constructor(options: QueueOptions) {
    this.#options = options
    const load = batched(
      { atOnce: LOADED_AT_ONCE, withinMs: 0 },
      async (ids: readonly string[]) => {
        const found = new Map((await options.load(ids)).map((mail) => [mail.id, mail]))
        return ids.map((id) => found.get(id))
      },
    )
    this.#load = load
    this.#record = batched(
      { atOnce: RECORDED_AT_ONCE, withinMs: RECORDED_WITHIN_MS },
      async (attempts: readonly AttemptRecord[]) => {
        await options.record(attempts)
        return attempts.map(() => undefined)
      },
    )
  }

  get taking(): Taking {
    return this.#options.shares.taking()
  }

  /** Makes one attempt at one message. Recording its result releases its row. */
  async pass(row: Taken, signal: AbortSignal): Promise<Outcome | 'written'> {
    const mail = await this.#load(row.id)
    if (mail === undefined) return { afterMs: days(1), failures: 0 }
    const held = inDoubt(mail) ?? heldBack(mail)
    const ageMs = this.#options.now().getTime() - mail.createdAt.getTime()
    const attempted = held ?? (await this.#attempt(mail, signal))
    // Due at once: nobody takes it before sending is on again.
    if (attempted === 'stopped') return { afterMs: 0, failures: row.failures }
    const result = givenUp(held ?? asRecorded(mail, attempted), ageMs)
    if (!held) this.#options.shares.recordResult(mail, result)
    if (result.is === 'failed') await this.#options.onFailed(mail, result)
    const failures = row.failures + 1
    const afterMs = backOffMs(RETRY, row.failures)
    await this.#record({ row, result, afterMs, failures, isAttempt: held === undefined })
    return 'written'
  }

  async #attempt(mail: QueuedMail, signal: AbortSignal): Promise<AttemptResult | 'stopped'> {
    using _share = this.#options.shares.begin(mail)
    const limit = AbortSignal.timeout(this.#options.limitMs)
    try {
      return await this.#options.attempt(mail, AbortSignal.any([signal, limit]))
    } catch (error) {
      if (error instanceof SendingStopped) return 'stopped'
      if (!limit.aborted || signal.aborted) throw error
      const reply = '4.4.2 the attempt took too long'
      return { is: 'deferred', reply, isSilent: true, isUnanswered: true }
    }
  }
}

const UNKNOWN = '4.4.2 no answer to the message, which may have arrived: it is not sent again'

/** For a message whose transfer a process began and did not finish. */
const inDoubt = ({ isInDoubt }: QueuedMail): AttemptResult | undefined =>
  isInDoubt ? { is: 'unknown', reply: UNKNOWN } : undefined

/** Without an answer, a message that must not be sent twice is finished. */
function asRecorded({ origin }: QueuedMail, result: AttemptResult): AttemptResult {
  const isLost = result.is === 'deferred' && result.isUnanswered && result.host !== undefined
  return isLost && !SENT_AGAIN[origin] ? { ...result, is: 'unknown', reply: UNKNOWN } : result
}

function heldBack({ domain, inbox, recipientIs, content }: QueuedMail): AttemptResult | undefined {
  const obstacle = obstacleTo({
    domain,
    inbox,
    recipient: recipientIs,
    octets: content.length,
    reached: [],
  })
  return obstacle && { is: obstacle.is === 'ended' ? 'failed' : 'deferred', reply: obstacle.reply }
}

function givenUp(result: AttemptResult, ageMs: number): AttemptResult {
  if (result.is !== 'deferred' || ageMs < GIVE_UP_AFTER_MS) return result
  return { ...result, is: 'failed', reply: `4.4.7 given up: ${result.reply}` }
}

const RETRY = { firstMs: minutes(1), mostMs: hours(4) }
