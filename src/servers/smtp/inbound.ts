/**
 * Mail that comes in (RFC 5321): for the mailboxes hosted here, and for nobody else. Who the
 * recipients are and where messages go is handed in; the protocol is a library's.
 */
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server'
import type { Session } from './judge.ts'

/** Whether an address is a recipient here. The reply is what a client is told. */
export type RecipientVerdict =
  | { is: 'accepted' }
  | { is: 'refused' | 'deferred'; code: number; enhanced: string; text: string }

export type InboundOptions = {
  address: string
  port: number
  /** The host name in the banner. */
  host: string
  tls: { key: string; cert: string }
  recipient(address: string, signal: AbortSignal): Promise<RecipientVerdict>
  /** Keeps the message durably, or throws: only then is it acknowledged. */
  deliver(
    message: { raw: Buffer; recipients: readonly string[]; session: Session },
    signal: AbortSignal,
  ): Promise<void>
  onError(error: unknown): void
  limits?: Partial<InboundLimits>
}

export type InboundLimits = {
  /** Octets of messages that are held in memory, of all clients together. */
  octetsUnderWay: number
  clientsPerAddress: number
}

const LIMITS: InboundLimits = { octetsUnderWay: 128 * 1024 * 1024, clientsPerAddress: 50 }

/** RFC 5321 section 4.5.3.1.7 asks for 64K at least; 25 MiB is what the large providers take. */
export const MESSAGE_LIMIT = 25 * 1024 * 1024
// RFC 5321 section 4.5.3.1.8: at least 100 recipients.
const RECIPIENT_LIMIT = 100
const SOCKET_TIMEOUT_MS = 120_000
const CLIENTS = 200

export async function listenInbound(
  options: InboundOptions,
): Promise<AsyncDisposable & { address: string; port: number }> {
  const stop = new AbortController()
  const limits = { ...LIMITS, ...options.limits }
  const storage = new Storage(limits.octetsUnderWay)
  const server = new SMTPServer({
    name: options.host,
    banner: 'Mailstead',
    size: MESSAGE_LIMIT,
    key: options.tls.key,
    cert: options.tls.cert,
    authOptional: true,
    disabledCommands: ['AUTH'],
    disableReverseLookup: true,
    socketTimeout: SOCKET_TIMEOUT_MS,
    closeTimeout: 2000,
    maxClients: CLIENTS,
    onConnect: (session, reply) => settle(connected(session), reply),
    onRcptTo: ({ address }, session, reply) => settle(rcpt(address, session), reply),
    onData: (stream, session, reply) => settle(data(stream, session), reply),
  })
  server.on('error', options.onError)

  async function connected({ remoteAddress }: SMTPServerSession): Promise<void> {
    const clients = [...server.connections].filter((each) => each.remoteAddress === remoteAddress)
    if (clients.length > limits.clientsPerAddress)
      throw smtpError(421, '4.7.0', 'Too many connections from this address')
  }

  async function rcpt(address: string, session: SMTPServerSession): Promise<void> {
    if (session.envelope.rcptTo.length >= RECIPIENT_LIMIT)
      throw smtpError(452, '4.5.3', 'Too many recipients')
    const verdict = await options.recipient(address, stop.signal).catch(troubled)
    if (verdict.is !== 'accepted') throw smtpError(verdict.code, verdict.enhanced, verdict.text)
  }

  async function data(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    using place = storage.place()
    const raw = await collect(stream, place)
    if (stream.sizeExceeded) throw smtpError(552, '5.3.4', 'Message too big')
    if (!raw) throw smtpError(452, '4.3.1', 'Too much mail under way, try again later')
    const recipients = session.envelope.rcptTo.map(({ address }) => address)
    await options
      .deliver({ raw, recipients, session: sessionOf(session) }, stop.signal)
      .catch(troubled)
  }

  /** Our own trouble is never the sender's: try again later. */
  function troubled(error: unknown): never {
    options.onError(error)
    throw smtpError(451, '4.3.0', 'Local trouble, try again later')
  }

  const bound = await bind(server, options)
  return {
    ...bound,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function bind(server: SMTPServer, { address, port }: InboundOptions) {
  const { promise, resolve, reject } = Promise.withResolvers<{ address: string; port: number }>()
  server.server.once('error', reject)
  server.listen(port, address, () => {
    server.server.off('error', reject)
    resolve({ address, port: (server.server.address() as AddressInfo).port })
  })
  return promise
}

const sessionOf = (session: SMTPServerSession): Session => ({
  remoteAddress: session.remoteAddress,
  helo: session.hostNameAppearsAs || '',
  envelopeSender: session.envelope.mailFrom ? session.envelope.mailFrom.address : '',
})

/** Reads to the end even when too much comes, so that the client hears the reply; undefined then. */
async function collect(stream: SMTPServerDataStream, place: Place): Promise<Buffer | undefined> {
  let chunks: Buffer[] | undefined = []
  let size = 0
  for await (const chunk of stream) {
    size += (chunk as Buffer).length
    if (chunks && size <= MESSAGE_LIMIT && place.take((chunk as Buffer).length))
      chunks.push(chunk as Buffer)
    else {
      chunks = undefined
      place[Symbol.dispose]()
    }
  }
  return chunks && Buffer.concat(chunks)
}

/** What one message takes of the storage, until it is disposed of. */
type Place = Disposable & {
  /** False where there is not so much left. */
  take(octets: number): boolean
}

class Storage {
  #left: number

  constructor(octets: number) {
    this.#left = octets
  }

  place(): Place {
    let taken = 0
    return {
      take: (octets) => {
        if (octets > this.#left) return false
        taken += octets
        this.#left -= octets
        return true
      },
      [Symbol.dispose]: () => {
        this.#left += taken
        taken = 0
      },
    }
  }
}

function smtpError(code: number, enhanced: string, text: string): Error {
  return Object.assign(new Error(`${enhanced} ${text}`), { responseCode: code })
}

function settle(work: Promise<void>, reply: (error?: Error | null) => void): void {
  work.then(
    () => reply(),
    (error) => reply(error),
  )
}
