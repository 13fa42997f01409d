/** One thread's answers: the store, cookies, the rate limit, its counters, and awaited names. */

import { HEADER_OCTETS } from '#dns/query.ts'
import { systemClock } from '../../../clock.ts'
import { textOf } from '../answer.ts'
import { CookieJar } from '../defence/cookies.ts'
import { RateLimit, VERDICT } from '../defence/rate-limit.ts'
import type { Remote } from '../defence/remote.ts'
import { Responder, type Transport } from '../responder.ts'
import { StoreView } from '../store/view.ts'
import type { WireName } from '../wire-name.ts'
import { COUNTER, type ThreadData } from './protocol.ts'

export type AnswererOptions = Pick<ThreadData, 'shared' | 'slot' | 'defence' | 'counters'> & {
  /** A query asked for an awaited name. */
  onAsked(name: string): void
}

const REPORT_EVERY_MS = 2000
const REPORTED_KEPT = 10_000
const TC = 0x02
const AA = 0x04

export class Answerer {
  readonly view: StoreView
  readonly #responder: Responder
  readonly #cookies: CookieJar
  readonly #limit: RateLimit
  readonly #options: AnswererOptions
  readonly #reported = new Map<string, number>()
  #nowMs = 0

  constructor(options: AnswererOptions) {
    this.#options = options
    this.view = new StoreView(options.shared, options.slot)
    this.#cookies = new CookieJar(options.defence.cookieKey)
    this.#limit = new RateLimit({
      perSecond: options.defence.rateLimit,
      threads: options.defence.threads,
    })
    this.#responder = new Responder(this.view, this.#cookies)
  }

  /** The client's address; set before each query. */
  get remote(): Remote {
    return this.#cookies.remote
  }

  /** To be called once for all queries received together. */
  tick(): void {
    this.#nowMs = performance.now()
    this.#cookies.nowS = Math.floor(systemClock.now().getTime() / 1000)
  }

  /** Answers the message between two offsets; returns the length of the reply, or 0 for none. */
  answer(
    message: Uint8Array,
    start: number,
    end: number,
    transport: Transport,
    out: Uint8Array,
    outStart: number,
  ): number {
    const { counters } = this.#options
    counters[COUNTER.queries]!++
    const length = this.#responder.answer(message, start, end, transport, out, outStart)
    if (length === 0) return 0
    this.#responder.eachWaiting(this.#report)
    const sent = transport === 'tcp' ? length : this.#limited(out, outStart, length)
    if (sent > 0) counters[COUNTER.replies]!++
    if (sent > 0 && (out[outStart + 2]! & TC) !== 0) counters[COUNTER.truncated]!++
    return sent
  }

  /** Applies the rate limit to a reply; returns its new length. */
  #limited(out: Uint8Array, start: number, length: number): number {
    const { defence, shared, counters } = this.#options
    if (defence.rateLimit === 0 || this.#cookies.isValid) return length
    if (this.remote.isLoopback && !defence.limitsLoopback) return length
    const { kind, nameHash, query } = this.#responder
    const prefix = this.remote.prefixHash(shared.seed)
    const verdict = this.#limit.decide(prefix, kind, nameHash, this.#nowMs)
    if (verdict === VERDICT.send) return length
    counters[COUNTER.limited]!++
    if (verdict === VERDICT.drop) return 0
    out[start + 2] = (out[start + 2]! & ~AA) | TC
    out[start + 3] = 0
    out.fill(0, start + 6, start + HEADER_OCTETS)
    return HEADER_OCTETS + (query.hasQuestion ? query.name.length + 4 : 0)
  }

  readonly #report = (name: WireName, label: number): void => {
    const text = textOf(name, label)
    const last = this.#reported.get(text) ?? Number.NEGATIVE_INFINITY
    if (this.#nowMs - last < REPORT_EVERY_MS) return
    if (this.#reported.size >= REPORTED_KEPT) this.#reported.clear()
    this.#reported.set(text, this.#nowMs)
    this.#options.onAsked(text)
  }
}
