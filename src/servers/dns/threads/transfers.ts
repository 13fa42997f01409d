/**
 * The main thread's side of the messages of secondaries that threads hand over. A thread requests the
 * messages of a reply one by one. Each turn of the event loop makes one of them, for any client, so that
 * transfers block nothing else.
 */
import type { TransferAnswers } from '../transfer/answer.ts'
import type { TransferTerms } from '../transfer/secondary-traffic.ts'
import { type FromThread, MAX_HANDED_OVER, type ReplyPart, type ToThread } from './protocol.ts'

export type TransfersOptions = {
  terms: TransferTerms
  answer: TransferAnswers['answer']
}

export type PostToThread = (message: ToThread, moved: readonly ArrayBuffer[]) => void

export class Transfers {
  readonly terms: TransferTerms
  readonly answer: TransferAnswers['answer']
  readonly onError: (error: unknown) => void
  /** One step for each requested message, so at most `MAX_HANDED_OVER` for a thread. */
  readonly #due: (() => void)[] = []
  #isRunning = false

  constructor({ terms, answer }: TransfersOptions, onError: (error: unknown) => void) {
    this.terms = terms
    this.answer = answer
    this.onError = onError
  }

  /** For one thread, until it ends. */
  open(post: PostToThread): ThreadTransfers {
    return new ThreadTransfers(this, post)
  }

  /** Runs a step in its own turn of the event loop. */
  soon(step: () => void): void {
    this.#due.push(step)
    if (this.#isRunning) return
    this.#isRunning = true
    setImmediate(this.#run)
  }

  readonly #run = (): void => {
    this.#due.shift()?.()
    this.#isRunning = this.#due.length > 0
    if (this.#isRunning) setImmediate(this.#run)
  }
}

type UnderWay = Extract<FromThread, { is: 'transfer' }> & {
  messages?: Iterator<Buffer> | undefined
}

export class ThreadTransfers implements Disposable {
  readonly #transfers: Transfers
  readonly #post: PostToThread
  readonly #underWay = new Map<number, UnderWay>()

  constructor(transfers: Transfers, post: PostToThread) {
    this.#transfers = transfers
    this.#post = post
  }

  hear(message: FromThread): void {
    if (message.is === 'transfer') this.#begin(message)
    if (message.is === 'next') this.#soon(message.id)
    if (message.is === 'end') this.#end(message.id)
  }

  /** The thread has ended: no reply can be delivered. */
  [Symbol.dispose](): void {
    for (const id of [...this.#underWay.keys()]) this.#end(id)
  }

  #begin(asked: UnderWay): void {
    if (this.#underWay.size >= MAX_HANDED_OVER) {
      this.#reply(asked.id, 'failed')
      return
    }
    this.#underWay.set(asked.id, asked)
    this.#soon(asked.id)
  }

  #soon(id: number): void {
    this.#transfers.soon(() => {
      const underWay = this.#underWay.get(id)
      if (underWay) this.#step(underWay)
    })
  }

  #step(underWay: UnderWay): void {
    const { id, transport } = underWay
    try {
      underWay.messages ??= this.#messages(underWay)
      const next = underWay.messages?.next()
      if (next === undefined) this.#replyLast(id, 'ordinary')
      else if (next.done) this.#replyLast(id, 'end')
      else this.#reply(id, new Uint8Array(next.value))
      if (transport === 'udp') this.#end(id) // A reply over UDP is one message.
    } catch (error) {
      this.#replyLast(id, 'failed')
      this.#transfers.onError(error)
    }
  }

  #messages({ query, transport, remote }: UnderWay): Iterator<Buffer> | undefined {
    return this.#transfers.answer(query, transport, remote)?.[Symbol.iterator]()
  }

  #reply(id: number, part: ReplyPart): void {
    this.#post({ is: 'part', id, part }, typeof part === 'string' ? [] : [part.buffer])
  }

  #replyLast(id: number, part: ReplyPart): void {
    this.#underWay.delete(id)
    this.#reply(id, part)
  }

  #end(id: number): void {
    this.#underWay.get(id)?.messages?.return?.()
    this.#underWay.delete(id)
  }
}
