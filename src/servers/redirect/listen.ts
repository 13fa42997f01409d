/** The web server of redirects: reads a request line and a Host, and answers with a Location. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Endpoint } from '#names/ip.ts'
import { listenHttp } from '../http-listener.ts'
import { hostName, locationOf, parseRequestTarget, type Redirect } from './location.ts'

export type RedirectServerOptions = {
  listen: Endpoint
  find(host: string): Redirect | undefined
  onError(error: unknown): void
}

const HEADER_OCTETS = 8 * 1024
const HEADERS_LIMIT_MS = 5000
const REQUEST_LIMIT_MS = 10_000
const IDLE_LIMIT_MS = 5000
const CONNECTIONS = 1000
const REQUESTS_A_CONNECTION = 100
/** How long a permanent redirect may be cached; by default browsers keep it for good. */
const REMEMBERED_S = 300

/** Listens; disposing it ends every connection. Rejects when it cannot listen. */
export async function listenRedirects(
  options: RedirectServerOptions,
): Promise<AsyncDisposable & Endpoint> {
  const limits = {
    maxHeaderSize: HEADER_OCTETS,
    headersTimeout: HEADERS_LIMIT_MS,
    requestTimeout: REQUEST_LIMIT_MS,
    keepAliveTimeout: IDLE_LIMIT_MS,
    connectionsCheckingInterval: 1000,
  }
  const server = createServer(limits, (request, response) => answer(request, response, options))
  server.maxConnections = CONNECTIONS
  server.maxRequestsPerSocket = REQUESTS_A_CONNECTION
  server.setTimeout(REQUEST_LIMIT_MS)
  const listener = await listenHttp(server, options.listen)
  server.on('error', options.onError)
  return listener
}

type Reply = { status: number; headers: Record<string, string>; body: string }

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { find }: RedirectServerOptions,
): void {
  const { status, headers, body } = replyTo(request, find)
  // We do not read bodies: the connection closes instead.
  if (!isPlain(request)) response.setHeader('connection', 'close')
  response.writeHead(status, { ...headers, 'content-length': body.length }).end(body)
}

function replyTo(request: IncomingMessage, find: RedirectServerOptions['find']): Reply {
  const target = parseRequestTarget(request.url ?? '')
  const hosts = request.headersDistinct.host ?? []
  // RFC 9112 section 3.2: one Host, and a whole URL in the request line goes before it.
  if (target === undefined || hosts.length !== 1) return refusal(400)
  const redirect = find(hostName(target.host ?? hosts[0]!))
  if (redirect === undefined) return refusal(404)
  if (!isPlain(request) && !keepsMethod(redirect)) return refusal(405, { allow: 'GET, HEAD' })
  const kept = isPermanent(redirect) ? { 'cache-control': `max-age=${REMEMBERED_S}` } : {}
  const location = locationOf(redirect, target)
  return { status: redirect.statusCode, headers: { location, ...kept }, body: '' }
}

const isPlain = ({ method }: IncomingMessage): boolean => method === 'GET' || method === 'HEAD'

// RFC 9110 section 15.4: with 307 and 308 a client repeats its request as it was.
const keepsMethod = ({ statusCode }: Redirect): boolean => statusCode === 307 || statusCode === 308
const isPermanent = ({ statusCode }: Redirect): boolean => statusCode === 301 || statusCode === 308

const SENTENCES = {
  400: 'This request cannot be understood.\n',
  404: 'Nothing is here under this name.\n',
  405: 'This redirect answers GET and HEAD.\n',
} as const

function refusal(status: keyof typeof SENTENCES, headers: Record<string, string> = {}): Reply {
  return { status, headers: { 'content-type': 'text/plain', ...headers }, body: SENTENCES[status] }
}
