/** The progress of a domain as server-sent events: one at each change, until it is complete or failed. */
import type { FastifyReply } from 'fastify'
import { type StoreContext, TOPICS } from '#store/context.ts'

export type Progress = { status: string }

const HEARTBEAT_MS = 15_000
/** A client that still waits then opens the stream anew. */
const LIFE_MS = 3_600_000
const ENDS = ['COMPLETED', 'FAILED']

/** The streams that are open, so that a stop can end them: the server would wait for them. */
export class ProgressStreams {
  readonly #stop = new AbortController()

  end(): void {
    this.#stop.abort()
  }

  /** Takes the reply over. `look` gives the progress as it is now; undefined when the domain is gone. */
  async send(
    reply: FastifyReply,
    { doorbell }: StoreContext,
    domainId: string,
    look: () => Promise<Progress | undefined>,
  ): Promise<void> {
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
    let changed = Promise.withResolvers<void>()
    using _bell = doorbell.on(TOPICS.domain(domainId), () => changed.resolve())
    let told = ''
    let toldAt = 0
    while (!over.aborted) {
      const seen = await look().catch(() => undefined)
      if (seen === undefined) break
      const text = JSON.stringify(seen)
      if (text !== told) raw.write(`event: progress\ndata: ${text}\n\n`)
      else if (Date.now() - toldAt > HEARTBEAT_MS) raw.write(': still here\n\n')
      if (text !== told || Date.now() - toldAt > HEARTBEAT_MS) toldAt = Date.now()
      told = text
      if (ENDS.includes(seen.status)) break
      await soon(changed.promise, over)
      changed = Promise.withResolvers<void>()
    }
    raw.end()
  }
}

function closing(raw: FastifyReply['raw']): AbortSignal {
  const closed = new AbortController()
  raw.once('close', () => closed.abort())
  return closed.signal
}

const LOOK_MS = 1000

/** At the next change, at the end, and once a second in case a ring was lost. */
function soon(change: Promise<void>, over: AbortSignal): Promise<unknown> {
  return Promise.race([
    change,
    new Promise((resolve) => {
      setTimeout(resolve, LOOK_MS).unref()
      over.addEventListener('abort', resolve, { once: true })
    }),
  ])
}
