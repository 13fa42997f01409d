/** Streams: server-sent events (the HTML standard, section 9.2). */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { Http } from './http.ts'
import { Problem } from './problems.ts'

const STREAMS_A_KEY = 50
const HEARTBEAT_MS = 15_000
/** The server ends a stream after this time; the client reopens it. */
const LIFE_MS = 3_600_000
const RETRY_AFTER_S = 10

/** One stream, which is open until `over`. */
export type Stream = {
  over: AbortSignal
  /** `id`: where a client that reopens the stream continues. */
  send(event: { name: string; id?: string; data: unknown }): void
  /** Sends a keep-alive comment if the stream was silent for 15 s. */
  beat(): void
  /** Resolves once the send buffer has drained, or the stream is over. */
  room(): Promise<void>
}

/** The streams of a server: the limit of a key is one for all its routes. */
export function streamsOf(app: Http): Streams {
  const known = ofServer.get(app)
  if (known) return known
  const streams = new Streams()
  app.addHook('preClose', async () => streams.end())
  ofServer.set(app, streams)
  return streams
}

const ofServer = new WeakMap<Http, Streams>()

/** The open streams: a stop ends them, because the server waits for open connections. */
class Streams {
  readonly #stop = new AbortController()
  readonly #open = new Map<string, number>()

  end(): void {
    this.#stop.abort()
  }

  /** Takes over the reply until `run` ends. Limits the open streams of a key. */
  async send(
    reply: FastifyReply,
    keyId: string,
    run: (stream: Stream) => Promise<void>,
  ): Promise<void> {
    using _place = this.#takePlace(keyId)
    const headers = {
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // The end of the stream closes the connection: a stop does not wait for an idle one.
      connection: 'close',
      'x-accel-buffering': 'no',
    }
    reply.hijack()
    const { raw } = reply
    raw.writeHead(200, headers)
    const over = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(LIFE_MS), closing(raw)])
    await run(streamOver(raw, over))
    raw.end()
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

function streamOver(raw: ServerResponse, over: AbortSignal): Stream {
  let sentAt = Number.NEGATIVE_INFINITY
  const write = (text: string) => {
    raw.write(text)
    sentAt = performance.now()
  }
  return {
    over,
    send({ name, id, data }) {
      const head = id === undefined ? '' : `id: ${id}\n`
      write(`${head}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
    },
    beat() {
      if (performance.now() - sentAt > HEARTBEAT_MS) write(': still here\n\n')
    },
    async room() {
      if (raw.writableNeedDrain) await once(raw, 'drain', { signal: over }).catch(() => undefined)
    },
  }
}

function closing(raw: ServerResponse): AbortSignal {
  const closed = new AbortController()
  raw.once('close', () => closed.abort())
  return closed.signal
}
