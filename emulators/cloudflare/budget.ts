/** Limits requests in five minutes; exceeding it blocks all requests for a while. */

const WINDOW_MS = 300_000

export type Allowance = { isOver: boolean; headers: Readonly<Record<string, string>> }

export class RequestBudget {
  readonly #limit: number
  readonly #blockMs: number
  readonly #now: () => Date
  #count = 0
  #endsMs = Number.NEGATIVE_INFINITY
  #isBlocked = false

  /** A limit of 0 means none. */
  constructor(limit: number, blockMs: number, now: () => Date) {
    this.#limit = limit
    this.#blockMs = blockMs
    this.#now = now
  }

  take(): Allowance {
    if (this.#limit === 0) return { isOver: false, headers: {} }
    const nowMs = this.#now().getTime()
    if (nowMs >= this.#endsMs) this.#begin(nowMs)
    this.#count += 1
    if (!this.#isBlocked && this.#count > this.#limit) {
      this.#isBlocked = true
      this.#endsMs = nowMs + this.#blockMs
    }
    return { isOver: this.#isBlocked, headers: this.#headers(nowMs) }
  }

  #begin(nowMs: number): void {
    this.#count = 0
    this.#isBlocked = false
    this.#endsMs = nowMs + WINDOW_MS
  }

  #headers(nowMs: number): Record<string, string> {
    const seconds = Math.ceil((this.#endsMs - nowMs) / 1000)
    const left = Math.max(0, this.#limit - this.#count)
    const headers = {
      ratelimit: `"default";r=${left};t=${seconds}`,
      'ratelimit-policy': `"default";q=${this.#limit};w=${WINDOW_MS / 1000}`,
    }
    return this.#isBlocked ? { ...headers, 'retry-after': String(seconds) } : headers
  }
}
