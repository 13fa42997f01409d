/** The base of every emulator: an HTTP server on loopback with injected faults. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listenHttp } from '#servers/http-listener.ts'
import { type Acts, answerAct } from './acts.ts'
import { createFaults, type Faults } from './faults.ts'

export type EmulatedRequest = {
  method: string
  /** Decoded, without the query. */
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  /** As received: the input of a signature. */
  target: string
  body: string
}

/** `json` is written as JSON, `text` as it is, neither as an empty body. */
export type EmulatedAnswer = {
  status: number
  headers?: Readonly<Record<string, string>>
  json?: unknown
  text?: string
}

/** Requests in order of arrival; for tests that look for missing or repeated ones. */
export type EmulatedCall = { method: string; target: string; body: string }

export type EmulatorServer = AsyncDisposable & {
  /** `http://127.0.0.1:port`, without a slash at the end. */
  url: string
  faults: Faults
  calls: EmulatedCall[]
  /** Runs these commands when they are posted to `/emulator/acts`. */
  offer(acts: Acts): void
}

export type EmulatorOptions = {
  port?: number
  handle(request: EmulatedRequest): Promise<EmulatedAnswer>
  /** The provider's bodies for these statuses, for injected faults. */
  refusal(status: 401 | 403 | 429 | 500 | 503): EmulatedAnswer
}

const BODY_LIMIT_OCTETS = 1 << 20
const FAULTS = '/emulator/faults'
const ACTS = '/emulator/acts'

export async function startEmulator(options: EmulatorOptions): Promise<EmulatorServer> {
  const calls: EmulatedCall[] = []
  const faults = createFaults(options.refusal)
  let offered: Acts = {}
  const server = createServer((incoming, outgoing) => {
    void serve(incoming, outgoing).catch(() => outgoing.destroy())
  })
  async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const request = await read(incoming)
    if (request.path === FAULTS) return write(outgoing, control(faults, request))
    if (request.path === ACTS) return write(outgoing, await answerAct(offered, request.body))
    calls.push({ method: request.method, target: request.target, body: request.body })
    await faults.meet(request, outgoing, () => options.handle(request), write)
  }
  const listener = await listenHttp(server, { address: '127.0.0.1', port: options.port ?? 0 })
  return {
    url: `http://127.0.0.1:${listener.port}`,
    faults,
    calls,
    offer(acts) {
      offered = acts
    },
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  }
}

/** Faults over HTTP, for an emulator run by hand: POST one, or DELETE all. */
function control(faults: Faults, { method, body }: EmulatedRequest): EmulatedAnswer {
  if (method === 'DELETE') {
    faults.clear()
    return { status: 204 }
  }
  if (method !== 'POST') return { status: 405 }
  const problem = faults.addWritten(body)
  return problem === undefined ? { status: 204 } : { status: 400, json: { detail: problem } }
}

async function read(incoming: IncomingMessage): Promise<EmulatedRequest> {
  const chunks: Buffer[] = []
  let octets = 0
  for await (const chunk of incoming) {
    octets += chunk.length
    if (octets > BODY_LIMIT_OCTETS) throw new Error('the request is too long')
    chunks.push(chunk)
  }
  const target = incoming.url ?? '/'
  const url = new URL(target, 'http://emulator')
  return {
    method: incoming.method ?? 'GET',
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    headers: incoming.headers,
    target,
    body: Buffer.concat(chunks).toString(),
  }
}

function write(outgoing: ServerResponse, { status, headers, json, text }: EmulatedAnswer): void {
  const body = json === undefined ? (text ?? '') : JSON.stringify(json)
  const type = json === undefined ? 'text/plain' : 'application/json'
  outgoing.writeHead(status, { 'content-type': type, ...headers }).end(body)
}
