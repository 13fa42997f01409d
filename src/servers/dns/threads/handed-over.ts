/**
 * The thread's side of messages that it hands over to the main thread, for secondaries. Few are under
 * way at once, and each step has a deadline, so a busy main thread or a client that does not read never
 * blocks the thread.
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

/** A step that takes longer has failed. Shorter than the limit for an idle connection. */
const STEP_MS = 5000

type UnderWay = {
  transport: Transport
  hasBegun: boolean
  /** Absent while no reply is awaited. */
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

  /** The number of messages under way. */
  get size(): number {
    return this.#underWay.size
  }

  /** Whether to hand over the message between two offsets. */
  isFor(message: Uint8Array, start: number, end: number, remote: Remote): boolean {
    return this.#concern?.has(message, start, end, remote) ?? false
  }

  /**
   * Hands a message over; returns its number, or undefined when too many are under way. Calls `heard`
   * once. The query's memory is copied.
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

  /** Requests the next message of a reply. */
  next(id: number, heard: (told: Told) => void): void {
    const underWay = this.#underWay.get(id)
    if (underWay === undefined) heard('failed')
    else {
      underWay.heard = heard
      underWay.untilMs = performance.now() + STEP_MS
      this.#post({ is: 'next', id })
    }
  }

  /** Cancels the rest of a reply. */
  end(id: number): void {
    if (this.#underWay.delete(id)) this.#post({ is: 'end', id })
  }

  /** Passes on the main thread's reply for one message. */
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

  /** Fails messages past their deadline; to be called about once a second. */
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
