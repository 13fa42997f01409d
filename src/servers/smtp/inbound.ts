/**
 * The SMTP server (RFC 5321) for the mailboxes hosted here; it relays nothing. The caller passes in the
 * recipient look-up and the storage; a library speaks the protocol.
 */
import type { AddressInfo } from 'node:net'
import {
  SMTPServer,
  type SMTPServerAddress,
  type SMTPServerDataStream,
  type SMTPServerSession,
} from 'smtp-server'
import type { Received, ReceivedMessage } from '#mail/incoming/receive.ts'
import type { RecipientVerdict } from '#mail/incoming/recipient.ts'
import type { Session } from '#mail/incoming/session.ts'
import { TooBusy } from '#mail/incoming/too-busy.ts'
import { CLIENT_LIMITS, type ClientLimits, Clients } from './clients.ts'
import { type LibraryParser, readInOneWalk } from './message-end.ts'
import { type MemoryShare, MessageMemory } from './message-memory.ts'

export type InboundOptions = {
  address: string
  port: number
  /** The host name in the banner. */
  host: string
  tls: { key: string; cert: string }
  /** Whether there is hardly any disk space left for messages. */
  isShortOfSpace?(): Promise<boolean>
  recipient(address: string, signal: AbortSignal): Promise<RecipientVerdict>
  /** Stores the message durably, refuses it for good, or throws: the client then tries again. */
  receive(message: ReceivedMessage, signal: AbortSignal): Promise<Received>
  onError(error: unknown): void
  limits?: Partial<InboundLimits>
}

export type InboundLimits = ClientLimits & {
  /** Octets of messages held in memory for all clients together. */
  octetsUnderWay: number
}

const LIMITS: InboundLimits = { ...CLIENT_LIMITS, octetsUnderWay: 128 * 1024 * 1024 }

/** RFC 5321 section 4.5.3.1.7 asks for 64K at least; 25 MiB is what the large providers take. */
export const MESSAGE_LIMIT = 25 * 1024 * 1024
// RFC 5321 section 4.5.3.1.8: at least 100 recipients.
const RECIPIENT_LIMIT = 100
const SOCKET_TIMEOUT_MS = 120_000
/** After so many messages that cost too much to judge, an address gets 421 for a while. */
const SUSPECT_AFTER = 3
const SUSPECT_MS = 600_000
const SUSPECTS_LIMIT = 10_000

export async function listenInbound(
  options: InboundOptions,
): Promise<AsyncDisposable & { address: string; port: number }> {
  const stop = new AbortController()
  const limits = { ...LIMITS, ...options.limits }
  const memory = new MessageMemory(limits.octetsUnderWay)
  const clients = new Clients(limits)
  const suspects = new Suspects()
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
    // We do not offer DSN: we do not act on a sender's requests for it.
    hideDSN: true,
    onConnect: (session, reply) => settle(connected(session), reply),
    onMailFrom: (address, _session, reply) => settle(mailFrom(address), reply),
    onRcptTo: (address, session, reply) => settle(rcpt(address, session), reply),
    onData: (stream, session, reply) => {
      readInOneWalk(parserOf(session))
      settle(data(stream, session), reply)
    },
  })
  // The library reports which connection failed: a client that disconnects is no error of ours.
  server.on('error', (error) => {
    if (!('remoteAddress' in error)) options.onError(error)
  })
  server.server.on('connection', (socket) => clients.add(socket))

  function parserOf({ id }: SMTPServerSession): LibraryParser {
    const connection = [...server.connections].find((each) => each.id === id)
    return (connection as unknown as { _parser: LibraryParser })._parser
  }

  async function connected({ remoteAddress }: SMTPServerSession): Promise<void> {
    if (suspects.rests(remoteAddress))
      throw smtpError(421, '4.7.0', 'Messages from this address cost too much, try again later')
  }

  async function mailFrom(sender: SMTPServerAddress): Promise<void> {
    await checkParameters(sender, MAIL_PARAMETERS)
    if (await options.isShortOfSpace?.())
      throw smtpError(452, '4.3.1', 'Insufficient storage, try again later')
  }

  async function rcpt(recipient: SMTPServerAddress, session: SMTPServerSession): Promise<void> {
    await checkParameters(recipient, [])
    if (session.envelope.rcptTo.length >= RECIPIENT_LIMIT)
      throw smtpError(452, '4.5.3', 'Too many recipients')
    const verdict = await options.recipient(recipient.address, stop.signal).catch(troubled)
    if (verdict.is !== 'accepted') throw smtpError(verdict.code, verdict.enhanced, verdict.text)
  }

  async function data(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    using share = memory.shareFor(session.remoteAddress)
    const raw = await collectFrom(stream, session, share)
    if (stream.sizeExceeded) throw smtpError(552, '5.3.4', 'Message too big')
    if (!raw) throw smtpError(452, '4.3.1', 'Too much mail under way, try again later')
    const recipients = session.envelope.rcptTo.map(({ address }) => address)
    const message = { raw, recipients, session: sessionOf(session) }
    const received = await options.receive(message, stop.signal).catch(troubled)
    if (received.is === 'refused') throw smtpError(received.code, received.enhanced, received.text)
    if (!received.isJudged) suspects.add(session.remoteAddress)
  }

  function collectFrom(
    stream: SMTPServerDataStream,
    session: SMTPServerSession,
    share: MemoryShare,
  ) {
    const receiving = clients.receiving(session.remoteAddress, session.remotePort)
    return collect(stream, share).finally(() => receiving[Symbol.dispose]())
  }

  /** Answers our own failures with 4yz: the client tries again. */
  function troubled(error: unknown): never {
    options.onError(error)
    if (error instanceof TooBusy)
      throw smtpError(451, '4.3.2', 'Too much mail waits, try again later')
    if (isStorageFull(error)) throw smtpError(452, '4.3.1', 'Insufficient storage, try again later')
    throw smtpError(451, '4.3.0', 'Local trouble, try again later')
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

/**
 * Reads to the end even when too much arrives, so that the client reads the reply; then undefined. The
 * result is over shared memory, so that a worker reads it without a copy.
 */
async function collect(
  stream: SMTPServerDataStream,
  share: MemoryShare,
): Promise<Uint8Array | undefined> {
  let blocks: Blocks | undefined = new Blocks()
  for await (const chunk of stream) {
    const octets = chunk as Buffer
    if (blocks && blocks.size + octets.length <= MESSAGE_LIMIT && share.reserve(octets.length))
      blocks.add(octets)
    else {
      blocks = undefined
      share[Symbol.dispose]()
    }
  }
  return blocks?.joined()
}

const BLOCK_OCTETS = 64 * 1024

/** Collects octets in blocks, so that many small pieces cost no more than their own size. */
class Blocks {
  readonly #full: Buffer[] = []
  #last = Buffer.allocUnsafe(0)
  #used = 0
  size = 0

  add(octets: Buffer): void {
    this.size += octets.length
    for (let at = 0; at < octets.length; ) {
      if (this.#used === this.#last.length) this.#next()
      const copied = octets.copy(this.#last, this.#used, at)
      this.#used += copied
      at += copied
    }
  }

  joined(): Uint8Array {
    const raw = new Uint8Array(new SharedArrayBuffer(this.size))
    let at = 0
    for (const block of [...this.#full, this.#last.subarray(0, this.#used)]) {
      raw.set(block, at)
      at += block.length
    }
    return raw
  }

  #next(): void {
    if (this.#used > 0) this.#full.push(this.#last)
    // Most messages are small.
    this.#last = Buffer.allocUnsafe(this.#full.length === 0 ? BLOCK_OCTETS / 8 : BLOCK_OCTETS)
    this.#used = 0
  }
}

/** Client addresses whose messages repeatedly cost too much to judge. */
class Suspects {
  readonly #addedAt = new Map<string, number[]>()

  add(address: string): void {
    if (this.#addedAt.size >= SUSPECTS_LIMIT) this.#addedAt.clear()
    this.#addedAt.set(address, [...this.#recent(address), performance.now()])
  }

  rests(address: string): boolean {
    return this.#recent(address).length >= SUSPECT_AFTER
  }

  #recent(address: string): number[] {
    const since = performance.now() - SUSPECT_MS
    return (this.#addedAt.get(address) ?? []).filter((at) => at > since)
  }
}

/**
 * RFC 1870, RFC 6152 and RFC 6531. An unknown parameter could change what is asked for
 * (RFC 5321 section 4.1.1.11).
 */
const MAIL_PARAMETERS: readonly string[] = ['SIZE', 'BODY', 'SMTPUTF8']

async function checkParameters(
  { args }: SMTPServerAddress,
  known: readonly string[],
): Promise<void> {
  const unknown = Object.keys(args || {}).find((name) => !known.includes(name.toUpperCase()))
  if (unknown) throw smtpError(555, '5.5.4', `Unknown parameter ${unknown.slice(0, 40)}`)
}

/** SQLSTATE 53100: the disk of the database is full. */
const isStorageFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === '53100'

function smtpError(code: number, enhanced: string, text: string): Error {
  return Object.assign(new Error(`${enhanced} ${text}`), { responseCode: code })
}

function settle(work: Promise<void>, reply: (error?: Error | null) => void): void {
  work.then(
    () => reply(),
    (error) => reply(error),
  )
}
