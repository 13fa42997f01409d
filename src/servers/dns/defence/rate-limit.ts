/**
 * Response rate limiting: an attacker who forges a victim's address must not make us send it more than a
 * resolver there would ask for. A limited reply is dropped or, every other time, cut down to its
 * question with TC set: a real resolver then asks over TCP, where addresses cannot be forged.
 */
import type { Kind } from '../responder.ts'

export type RateLimitOptions = {
  /** Replies a second to one prefix about one name; 0 for no limit. */
  perSecond: number
  /** How many threads share the limit. */
  threads: number
}

export const VERDICT = { send: 0, truncate: 1, drop: 2 } as const
export type Verdict = (typeof VERDICT)[keyof typeof VERDICT]

const BUCKETS = 2 ** 16
const BURST_SECONDS = 2
/** No client needs as many errors. */
const ERRORS_SHARE = 1 / 4
const KINDS: Readonly<Record<Kind, number>> = {
  answer: 0x1000193,
  referral: 0x2000323,
  nxdomain: 0x3000431,
  nodata: 0x3000431, // A flood that alternates between the two counts as one.
  error: 0x4000539,
}

export class RateLimit {
  readonly #rate: number
  readonly #errorRate: number
  /** Buckets that collide share their allowance. */
  readonly #room = new Float32Array(BUCKETS)
  readonly #filledAt = new Float64Array(BUCKETS).fill(Number.NEGATIVE_INFINITY)
  readonly #limited = new Uint8Array(BUCKETS)

  constructor({ perSecond, threads }: RateLimitOptions) {
    this.#rate = perSecond / threads
    this.#errorRate = Math.max(this.#rate * ERRORS_SHARE, Math.min(1, this.#rate))
  }

  /** Decides on a reply of a kind about a name, to a prefix, at a time in milliseconds. */
  decide(prefixHash: number, kind: Kind, nameHash: number, nowMs: number): Verdict {
    const rate = kind === 'error' ? this.#errorRate : this.#rate
    if (rate === 0) return VERDICT.send
    let hash = Math.imul(prefixHash ^ nameHash ^ KINDS[kind], 0x9e3779b1)
    hash = (hash ^ (hash >>> 15)) & (BUCKETS - 1)
    const refilled = this.#room[hash]! + ((nowMs - this.#filledAt[hash]!) * rate) / 1000
    const room = Math.min(refilled, BURST_SECONDS * rate)
    this.#filledAt[hash] = nowMs
    if (room >= 1) {
      this.#room[hash] = room - 1
      return VERDICT.send
    }
    this.#room[hash] = room
    return this.#limited[hash]!++ % 2 === 0 ? VERDICT.truncate : VERDICT.drop
  }
}
