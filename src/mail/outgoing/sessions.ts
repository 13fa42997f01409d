/** Keeps SMTP sessions open for a while, so that the next message to the same host reuses them. */
import { type Delivery, type HandOverResult, type Peer, Session } from './session.ts'

export type SessionLimits = {
  /** How long an idle session is kept; how long and for how many messages any session is used. */
  idleMs: number
  ageMs: number
  messages: number
  /** The most idle sessions, over all hosts. */
  kept: number
}

const LIMITS: SessionLimits = { idleMs: 5000, ageMs: 60_000, messages: 100, kept: 50 }

type Idle = { session: Session; since: number; timer: NodeJS.Timeout }

export class Sessions implements Disposable {
  readonly #limits: SessionLimits
  readonly #idle = new Map<string, Idle[]>()
  #kept = 0

  constructor(limits: Partial<SessionLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits }
  }

  [Symbol.dispose](): void {
    for (const { session, timer } of [...this.#idle.values()].flat()) {
      clearTimeout(timer)
      session.close()
    }
    this.#idle.clear()
  }

  /** Hands a message to a host, in an idle or a new session. */
  async hand(
    delivery: Delivery,
    peer: Peer,
    ehlo: string,
    signal: AbortSignal,
  ): Promise<HandOverResult> {
    const key = JSON.stringify([peer, ehlo])
    const kept = this.#take(key)
    const first = await this.#handIn(kept ?? this.#fresh(peer, ehlo), key, delivery, signal)
    // A host may end an idle session at any time: that says nothing about the message.
    const isStale = kept !== undefined && first.is === 'deferred' && first.isUntouched
    return isStale ? this.#handIn(this.#fresh(peer, ehlo), key, delivery, signal) : first
  }

  #fresh(peer: Peer, ehlo: string): { session: Session; since: number } {
    return { session: new Session(peer, ehlo), since: performance.now() }
  }

  async #handIn(
    { session, since }: { session: Session; since: number },
    key: string,
    delivery: Delivery,
    signal: AbortSignal,
  ): Promise<HandOverResult> {
    try {
      return await session.hand(delivery, signal)
    } finally {
      this.#giveBack(key, session, since)
    }
  }

  #take(key: string): { session: Session; since: number } | undefined {
    const found = this.#idle.get(key)?.pop()
    if (!found) return undefined
    this.#kept--
    clearTimeout(found.timer)
    return found.session.isOver ? this.#take(key) : found
  }

  #giveBack(key: string, session: Session, since: number): void {
    const { idleMs, ageMs, messages, kept } = this.#limits
    if (session.isOver) return
    const isOld = performance.now() - since > ageMs || session.count >= messages
    if (isOld || this.#kept >= kept) {
      session.quit()
      return
    }
    const timer = setTimeout(() => this.#drop(key, session), idleMs)
    timer.unref()
    const idle = { session, since, timer }
    const others = this.#idle.get(key)
    if (others) others.push(idle)
    else this.#idle.set(key, [idle])
    this.#kept++
  }

  #drop(key: string, session: Session): void {
    const left = this.#idle.get(key)?.filter((each) => each.session !== session) ?? []
    if (left.length > 0) this.#idle.set(key, left)
    else this.#idle.delete(key)
    this.#kept--
    session.quit()
  }
}
