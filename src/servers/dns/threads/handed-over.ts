/**
 * The thread's side of messages that it hands over to the main thread, for secondaries. Few are under
 * way at once, and each step has a deadline, so a busy main thread or a client that does not read never
 * blocks the thread.
 */
import type { Remote } from '../defence/remote.ts'
import type { Transport } from '../responder.ts'
import { SecondaryTraffic } from '../transfer/secondary-traffic.ts'
import {
  COUNTER,
  type FromThread,
  MAX_HANDED_OVER,
  type ReplyPart,
  type ThreadData,
} from './protocol.ts'

/** A step that takes longer has failed. Shorter than the limit for an idle connection. */
const STEP_MS = 5000

type UnderWay = {
  transport: Transport
  hasBegun: boolean
  /** Absent while no reply is awaited. */
  onPart: ((part: ReplyPart) => void) | undefined
  untilMs: number
}

export class HandedOver {
  readonly #secondaryTraffic: SecondaryTraffic | undefined
  readonly #counters: ThreadData['counters']
  readonly #post: (message: FromThread) => void
  readonly #underWay = new Map<number, UnderWay>()
  #ids = 0

  constructor(
    { transfers, counters }: Pick<ThreadData, 'transfers' | 'counters'>,
    post: (message: FromThread) => void,
  ) {
    this.#secondaryTraffic = transfers && new SecondaryTraffic(transfers)
    this.#counters = counters
    this.#post = post
  }

  /** The number of messages under way. */
  get size(): number {
    return this.#underWay.size
  }

  /** Whether to hand over the message between two offsets. */
  isFor(message: Uint8Array, start: number, end: number, remote: Remote): boolean {
    return this.#secondaryTraffic?.includes(message, start, end, remote) ?? false
  }

  /**
   * Hands a message over; returns its number, or undefined when too many are under way. Calls `onPart`
   * once. The query's memory is copied.
   */
  begin(
    query: Uint8Array<ArrayBuffer>,
    transport: Transport,
    remote: string,
    onPart: (part: ReplyPart) => void,
  ): number | undefined {
    if (this.#underWay.size >= MAX_HANDED_OVER) return undefined
    const id = this.#ids++
    const untilMs = performance.now() + STEP_MS
    this.#underWay.set(id, { transport, hasBegun: false, onPart, untilMs })
    this.#post({ is: 'transfer', id, query, transport, remote })
    return id
  }

  /** Requests the next message of a reply. */
  next(id: number, onPart: (part: ReplyPart) => void): void {
    const underWay = this.#underWay.get(id)
    if (underWay === undefined) onPart('failed')
    else {
      underWay.onPart = onPart
      underWay.untilMs = performance.now() + STEP_MS
      this.#post({ is: 'next', id })
    }
  }

  /** Cancels the rest of a reply. */
  end(id: number): void {
    if (this.#underWay.delete(id)) this.#post({ is: 'end', id })
  }

  /** Passes on the main thread's reply for one message. */
  receive(id: number, part: ReplyPart): void {
    const underWay = this.#underWay.get(id)
    const onPart = underWay?.onPart
    if (underWay === undefined || onPart === undefined) return
    underWay.onPart = undefined
    if (typeof part === 'string' || underWay.transport === 'udp') this.#underWay.delete(id)
    if (typeof part !== 'string' && !underWay.hasBegun) this.#count()
    underWay.hasBegun = true
    onPart(part)
  }

  /** Fails messages past their deadline; to be called about once a second. */
  expire(nowMs = performance.now()): void {
    for (const [id, { onPart, untilMs }] of this.#underWay) {
      if (onPart === undefined || nowMs < untilMs) continue
      this.end(id)
      onPart('failed')
    }
  }

  #count(): void {
    this.#counters[COUNTER.queries]!++
    this.#counters[COUNTER.replies]!++
  }
}
