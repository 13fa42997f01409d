/**
 * A thread's side of what it hands over to the main thread: messages of secondaries. Few are under way at
 * once, and each step has a deadline, so that a main thread that is busy or a client that does not read
 * costs the thread nothing.
 */
import type { Remote } from '../defence/remote.ts'
import type { Transport } from '../responder.ts'
import { Concern } from '../transfer/concern.ts'
import {
  COUNTER,
  type FromThread,
  MAX_HANDED_OVER,
  type ThreadData,
  type Told,
} from './protocol.ts'

/** A step that takes longer has failed. Less than what an idle connection is given. */
const STEP_MS = 5000

type UnderWay = {
  transport: Transport
  hasBegun: boolean
  /** Absent while nothing is waited for. */
  heard: ((told: Told) => void) | undefined
  untilMs: number
}

export class HandedOver {
  readonly #concern: Concern | undefined
  readonly #counters: ThreadData['counters']
  readonly #post: (message: FromThread) => void
  readonly #underWay = new Map<number, UnderWay>()
  #ids = 0

  constructor(
    { transfers, counters }: Pick<ThreadData, 'transfers' | 'counters'>,
    post: (message: FromThread) => void,
  ) {
    this.#concern = transfers && new Concern(transfers)
    this.#counters = counters
    this.#post = post
  }

  /** How many are under way. */
  get size(): number {
    return this.#underWay.size
  }

  /** Whether the message between two offsets is to be handed over. */
  isFor(message: Uint8Array, start: number, end: number, remote: Remote): boolean {
    return this.#concern?.has(message, start, end, remote) ?? false
  }

  /**
   * Hands a message over; gives its number, or undefined when there are too many. `heard` is called once.
   * The query lies in memory of its own, which is copied.
   */
  begin(
    query: Uint8Array<ArrayBuffer>,
    transport: Transport,
    remote: string,
    heard: (told: Told) => void,
  ): number | undefined {
    if (this.#underWay.size >= MAX_HANDED_OVER) return undefined
    const id = this.#ids++
    const untilMs = performance.now() + STEP_MS
    this.#underWay.set(id, { transport, hasBegun: false, heard, untilMs })
    this.#post({ is: 'transfer', id, query, transport, remote })
    return id
  }

  /** Asks for the next message of a reply. */
  next(id: number, heard: (told: Told) => void): void {
    const underWay = this.#underWay.get(id)
    if (underWay === undefined) heard('failed')
    else {
      underWay.heard = heard
      underWay.untilMs = performance.now() + STEP_MS
      this.#post({ is: 'next', id })
    }
  }

  /** No more is wanted of it. */
  end(id: number): void {
    if (this.#underWay.delete(id)) this.#post({ is: 'end', id })
  }

  /** What the main thread says to one of them. */
  hear(id: number, told: Told): void {
    const underWay = this.#underWay.get(id)
    const heard = underWay?.heard
    if (underWay === undefined || heard === undefined) return
    underWay.heard = undefined
    if (typeof told === 'string' || underWay.transport === 'udp') this.#underWay.delete(id)
    if (typeof told !== 'string' && !underWay.hasBegun) this.#count()
    underWay.hasBegun = true
    heard(told)
  }

  /** Gives up what has been waited for too long; to be called about once a second. */
  expire(nowMs = performance.now()): void {
    for (const [id, { heard, untilMs }] of this.#underWay) {
      if (heard === undefined || nowMs < untilMs) continue
      this.end(id)
      heard('failed')
    }
  }

  #count(): void {
    this.#counters[COUNTER.queries]!++
    this.#counters[COUNTER.replies]!++
  }
}
