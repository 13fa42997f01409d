/**
 * The queue of NOTIFYs for one secondary. A zone is in it once, however often it changes; a few messages
 * are under way at a time, and each is tried three times.
 */
import { randomInt } from 'node:crypto'
import type { Socket } from 'node:dgram'
import { opcodeOf, rcodeOf, shapeOf } from '#dns/message-shape.ts'
import { nameToWire } from '#dns/name.ts'
import { HEADER_OCTETS } from '#dns/query.ts'
import { checkReply, signQuery, type TsigKey } from '#dns/tsig.ts'
import { CLASS, OPCODE, RCODE, TYPE } from '#dns/types.ts'
import { type Endpoint, writeEndpoint } from '#names/ip.ts'

/** The most unanswered messages for one secondary. */
const WINDOW = 64
/** How long to wait for an answer, and between a failed try and the next. */
export type Patience = { answerMs: number; retryAfterMs: readonly number[] }
/** The secondary may not yet have read the zone's name in the catalog. */
const PATIENCE: Patience = { answerMs: 2000, retryAfterMs: [1000, 10_000] }
/** Zones that wait for one secondary. It finds dropped ones when it refreshes. */
const MAX_WAITING = 100_000
const TOO_MANY = 'more changes wait for it than are kept'
const TICK_MS = 100

const QR = 0x8000
const AA = 0x0400

export type NotifyQueueOptions = {
  /** The signing key; without one, messages go unsigned. */
  key: TsigKey | undefined
  /** Seconds since 1970. */
  nowS: () => number
  /** For tests. */
  patience?: Patience
  /** Called when a secondary stops answering, when it answers again, and at its first refusal. */
  onTrouble(sentence: string): void
}

/** A NOTIFY for a zone, with the number of times sent. */
type Notice = { apex: string; tries: number }
type Unanswered = Notice & { mac: Buffer | undefined; until: number }

export class NotifyQueue implements Disposable {
  readonly #secondary: Endpoint
  readonly #socket: Socket
  readonly #options: NotifyQueueOptions
  readonly #waiting = new Set<string>()
  readonly #unanswered = new Map<number, Unanswered>()
  /** Notices to send again: one list for each failed try, in due order. */
  readonly #again: (Notice & { at: number })[][]
  readonly #patience: Patience
  #ticking: NodeJS.Timeout | undefined
  #isSilent = false
  #hasRefused = false

  constructor(secondary: Endpoint, socket: Socket, options: NotifyQueueOptions) {
    this.#secondary = secondary
    this.#socket = socket
    this.#options = options
    this.#patience = options.patience ?? PATIENCE
    this.#again = this.#patience.retryAfterMs.map(() => [])
  }

  add(apexes: Iterable<string>): void {
    for (const apex of apexes) {
      if (this.#waiting.size < MAX_WAITING) this.#waiting.add(apex)
      else this.#setSilent(TOO_MANY)
    }
    this.#pump()
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#ticking)
  }

  #pump(): void {
    for (const apex of this.#waiting) {
      if (this.#unanswered.size >= WINDOW) break
      this.#waiting.delete(apex)
      this.#send({ apex, tries: 1 })
    }
    if (this.#unanswered.size > 0 || this.#again.some((list) => list.length > 0))
      this.#ticking ??= setTimeout(() => this.#tick(), TICK_MS)
  }

  #tick(): void {
    this.#ticking = undefined
    const now = performance.now()
    for (const [id, notice] of this.#unanswered) {
      if (notice.until > now) continue
      this.#unanswered.delete(id)
      this.#failed(notice, () => this.#setSilent('it does not answer'))
    }
    for (const list of this.#again) {
      while (list.length > 0 && list[0]!.at <= now && this.#unanswered.size < WINDOW) {
        const { apex, tries } = list.shift()!
        // A later change sends another NOTIFY anyway.
        if (!this.#waiting.has(apex)) this.#send({ apex, tries })
      }
    }
    this.#pump()
  }

  #send({ apex, tries }: Notice): void {
    const { key, nowS } = this.#options
    const id = this.#freeId()
    const message = notifyOf(id, apex)
    const signed = key === undefined ? { message, mac: undefined } : signQuery(message, key, nowS())
    this.#unanswered.set(id, {
      apex,
      tries,
      mac: signed.mac,
      until: performance.now() + this.#patience.answerMs,
    })
    // A failed send counts as unanswered.
    this.#socket.send(signed.message, this.#secondary.port, this.#secondary.address, () => {})
  }

  #freeId(): number {
    for (;;) {
      const id = randomInt(0x10000)
      if (!this.#unanswered.has(id)) return id // At most `WINDOW` are taken.
    }
  }

  /** Takes a datagram that came from the secondary. */
  hear(message: Buffer): void {
    const shape = shapeOf(message)
    const notice = shape && this.#unanswered.get(shape.id)
    if (!shape || !notice || !(shape.flags & QR) || opcodeOf(shape.flags) !== OPCODE.NOTIFY) return
    const rcode = rcodeOf(shape.flags)
    if (rcode === RCODE.NOERROR && !this.#isGenuine(message, notice)) return
    this.#unanswered.delete(shape.id)
    if (rcode === RCODE.NOERROR) this.#answered()
    // A forged refusal only causes one more message.
    else this.#failed(notice, () => this.#refused(notice.apex, rcode))
    this.#pump()
  }

  #isGenuine(message: Buffer, { mac }: Unanswered): boolean {
    const { key, nowS } = this.#options
    if (key === undefined || mac === undefined) return true
    return checkReply(message, key, mac, nowS()).is === 'verified'
  }

  #answered(): void {
    if (!this.#isSilent) return
    this.#isSilent = false
    this.#options.onTrouble(`The secondary ${writeEndpoint(this.#secondary)} answers NOTIFY again.`)
  }

  #failed({ apex, tries }: Notice, giveUp: () => void): void {
    const list = this.#again[tries - 1]
    const at = performance.now() + (this.#patience.retryAfterMs[tries - 1] ?? 0)
    if (list === undefined) giveUp()
    else if (list.length >= MAX_WAITING) this.#setSilent(TOO_MANY)
    else list.push({ apex, tries: tries + 1, at })
  }

  /** A secondary that serves only some zones always refuses the others: report that once. */
  #refused(apex: string, rcode: number): void {
    if (this.#hasRefused) return
    this.#hasRefused = true
    const where = writeEndpoint(this.#secondary)
    this.#options.onTrouble(
      `The secondary ${where} refuses NOTIFY for ${apex} with RCODE ${rcode}, and perhaps for others.`,
    )
  }

  #setSilent(why: string): void {
    if (this.#isSilent) return
    this.#isSilent = true
    const where = writeEndpoint(this.#secondary)
    this.#options.onTrouble(`NOTIFY does not reach the secondary ${where}: ${why}.`)
  }
}

/** RFC 1996 section 3.7: the question is the SOA of the zone that has changed. */
function notifyOf(id: number, apex: string): Buffer {
  const header = Buffer.alloc(HEADER_OCTETS)
  header.writeUInt16BE(id, 0)
  header.writeUInt16BE((OPCODE.NOTIFY << 11) | AA, 2)
  header.writeUInt16BE(1, 4)
  const question = Buffer.alloc(4)
  question.writeUInt16BE(TYPE.SOA, 0)
  question.writeUInt16BE(CLASS.IN, 2)
  return Buffer.concat([header, nameToWire(apex), question])
}
