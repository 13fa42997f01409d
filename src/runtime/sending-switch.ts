/** Whether the operator stopped all sending: asked before every message that leaves. */
import { SendingStopped } from '#mail/outgoing/gate.ts'
import { type StoreContext, TOPICS } from '#store/context.ts'
import { readSendingStop } from '#store/sending-stops.ts'

/** How old an answer may be. The doorbell makes changes known sooner. */
const BELIEVED_MS = 500

export class SendingSwitch implements Disposable {
  readonly #store: StoreContext
  readonly #bell: Disposable
  #known: { isStopped: Promise<boolean>; until: number } | undefined

  constructor(store: StoreContext) {
    this.#store = store
    this.#bell = store.doorbell.on(TOPICS.sending, () => this.#forget())
  }

  /** Throws `SendingStopped`; also rejects when the database cannot be asked. */
  async check(): Promise<void> {
    if (!this.#known || this.#known.until < performance.now()) this.#known = this.#ask()
    if (await this.#known.isStopped) throw new SendingStopped()
  }

  [Symbol.dispose](): void {
    this.#bell[Symbol.dispose]()
  }

  #ask() {
    const isStopped = readSendingStop(this.#store).then((stop) => stop !== undefined)
    isStopped.catch(() => this.#forget())
    return { isStopped, until: performance.now() + BELIEVED_MS }
  }

  #forget(): void {
    this.#known = undefined
  }
}
