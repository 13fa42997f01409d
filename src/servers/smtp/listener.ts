/**
 * What our SMTP servers have in common: a library speaks the protocol; clients, the memory of their messages and
 * the time they take are limited.
 */
import type { AddressInfo } from 'node:net'
import {
  SMTPServer,
  type SMTPServerDataStream,
  type SMTPServerOptions,
  type SMTPServerSession,
} from 'smtp-server'
import { CLIENT_LIMITS, type ClientLimits, Clients } from './clients.ts'
import { collect, MESSAGE_LIMIT } from './collect.ts'
import { type LibraryParser, readInOneWalk } from './message-end.ts'
import { MessageMemory } from './message-memory.ts'
import { localTrouble, settle, smtpError } from './replies.ts'

export type TlsPair = { key: string; cert: string }
/** The certificate of a server, and the pairs that replace it while it runs. */
export type Tls = TlsPair & { onRenewal?(act: (pair: TlsPair) => void): void }

export type ListenerOptions = {
  address: string
  port: number
  /** The host name in the banner. */
  host: string
  tls: Tls
  onError(error: unknown): void
  limits?: Partial<ListenerLimits>
}

export type ListenerLimits = ClientLimits & {
  /** Octets of messages held in memory for all clients together. */
  octetsUnderWay: number
}

export type Listener = AsyncDisposable & { address: string; port: number }

/** What a server answers. Each handler throws an error of `smtpError` to refuse. */
export type Protocol = {
  options: SMTPServerOptions
  /** `raw` is a view of shared memory, so that a worker reads it without a copy. */
  onMessage(raw: Uint8Array, session: SMTPServerSession): Promise<void>
}

export type Tools = {
  /** Aborts when the server closes. */
  signal: AbortSignal
  /** Reports a failure of our own, and throws the reply to it. */
  troubled(error: unknown): never
}

const LIMITS: ListenerLimits = { ...CLIENT_LIMITS, octetsUnderWay: 128 * 1024 * 1024 }
const SOCKET_TIMEOUT_MS = 120_000

export async function listenSmtp(
  options: ListenerOptions,
  protocolOf: (tools: Tools) => Protocol,
): Promise<Listener> {
  const stop = new AbortController()
  const limits = { ...LIMITS, ...options.limits }
  const memory = new MessageMemory(limits.octetsUnderWay)
  const clients = new Clients(limits)
  const troubled = (error: unknown): never => {
    options.onError(error)
    throw localTrouble(error)
  }
  const { options: own, onMessage } = protocolOf({ signal: stop.signal, troubled })
  const server = new SMTPServer({
    name: options.host,
    banner: 'Mailstead',
    size: MESSAGE_LIMIT,
    key: options.tls.key,
    cert: options.tls.cert,
    disableReverseLookup: true,
    socketTimeout: SOCKET_TIMEOUT_MS,
    closeTimeout: 2000,
    // We do not offer DSN: we do not act on a sender's requests for it.
    hideDSN: true,
    ...own,
    onData: (stream, session, reply) => {
      readInOneWalk(parserOf(session))
      settle(data(stream, session), reply)
    },
  })
  options.tls.onRenewal?.((pair) => server.updateSecureContext(pair))
  // The library reports which connection failed: a client that disconnects is no error of ours.
  server.on('error', (error) => {
    if (!('remoteAddress' in error)) options.onError(error)
  })
  server.server.on('connection', (socket) => clients.add(socket))

  function parserOf({ id }: SMTPServerSession): LibraryParser {
    const connection = [...server.connections].find((each) => each.id === id)
    return (connection as unknown as { _parser: LibraryParser })._parser
  }

  async function data(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    using share = memory.shareFor(session.remoteAddress)
    const receiving = clients.receiving(session.remoteAddress, session.remotePort)
    const raw = await collect(stream, share).finally(() => receiving[Symbol.dispose]())
    if (stream.sizeExceeded) throw smtpError(552, '5.3.4', 'Message too big')
    if (!raw) throw smtpError(452, '4.3.1', 'Too much mail under way, try again later')
    await onMessage(raw, session)
  }

  const bound = await bind(server, options)
  return {
    ...bound,
    async [Symbol.asyncDispose]() {
      stop.abort()
      clients[Symbol.dispose]()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function bind(server: SMTPServer, { address, port }: ListenerOptions) {
  const { promise, resolve, reject } = Promise.withResolvers<{ address: string; port: number }>()
  server.server.once('error', reject)
  server.listen(port, address, () => {
    server.server.off('error', reject)
    resolve({ address, port: (server.server.address() as AddressInfo).port })
  })
  return promise
}
