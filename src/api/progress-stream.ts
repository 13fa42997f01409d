/** The progress of a domain as server-sent events: one at each change, until it is complete or failed. */
import type { FastifyReply } from 'fastify'
import type { StoreContext } from '#store/context.ts'
import { type Changes, changesOf } from './changes.ts'
import { Problem } from './problems.ts'

export type Progress = { status: string }

export type Watched = {
  /** Whose stream it is: each key may have so many open. */
  keyId: string
  domainId: string
  /** The progress as it is now; `over` when there is no more to tell, for the domain is gone, or the key. */
  look(): Promise<Progress | 'over'>
}

const STREAMS_A_KEY = 50
const HEARTBEAT_MS = 15_000
/** A client that still waits then opens the stream anew. */
const LIFE_MS = 3_600_000
const ENDS = ['COMPLETED', 'FAILED']
const RETRY_AFTER_S = 10

/** The streams that are open, so that a stop can end them: the server would wait for them. */
export class ProgressStreams {
  readonly #stop = new AbortController()
  readonly #open = new Map<string, number>()
  readonly #onError: (error: unknown) => void

  /** `onError` hears of looks that could not be taken; the stream goes on with the next one. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  end(): void {
    this.#stop.abort()
  }

  /** Takes the reply over. */
  async send(reply: FastifyReply, store: StoreContext, watched: Watched): Promise<void> {
    using _place = this.#takePlace(watched.keyId)
    const headers = {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // The end of the stream is the end of the connection: a stop does not wait for an idle one.
      connection: 'close',
      'x-accel-buffering': 'no',
    }
    reply.hijack()
    const { raw } = reply
    raw.writeHead(200, headers)
    const over = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(LIFE_MS), closing(raw)])
    using changes = changesOf(store, watched.domainId)
    await this.#tell(raw, watched, changes, over)
    raw.end()
  }

  async #tell(
    raw: FastifyReply['raw'],
    { look }: Watched,
    changes: Changes,
    over: AbortSignal,
  ): Promise<void> {
    let told = ''
    let toldAt = Number.NEGATIVE_INFINITY
    for (; !over.aborted; await changes.next(HEARTBEAT_MS, over)) {
      const seen = await look().catch(this.#onError)
      if (seen === 'over') return
      const text = seen ? JSON.stringify(seen) : told
      if (text !== told) raw.write(`event: progress\ndata: ${text}\n\n`)
      else if (performance.now() - toldAt > HEARTBEAT_MS) raw.write(': still here\n\n')
      else continue
      told = text
      toldAt = performance.now()
      if (seen && ENDS.includes(seen.status)) return
    }
  }

  #takePlace(keyId: string): Disposable {
    const open = this.#open.get(keyId) ?? 0
    if (open >= STREAMS_A_KEY) throw new Problem('too_many_streams', {}, RETRY_AFTER_S)
    this.#open.set(keyId, open + 1)
    return {
      [Symbol.dispose]: () => {
        const left = this.#open.get(keyId)! - 1
        if (left > 0) this.#open.set(keyId, left)
        else this.#open.delete(keyId)
      },
    }
  }
}

function closing(raw: FastifyReply['raw']): AbortSignal {
  const closed = new AbortController()
  raw.once('close', () => closed.abort())
  return closed.signal
}
