/** One SMTP session with one host: with or without TLS, used for one message after another. */
import { isIP } from 'node:net'
import { Readable } from 'node:stream'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import type { AttemptResult } from './mail.ts'

/** A host that takes mail; `name` is its name in the DNS. */
export type Peer = {
  host: string
  port: number
  name: string
  secure: boolean
  credentials: { user: string; password: string } | undefined
  /** The local address to connect from; by default the system chooses. */
  localAddress: string | undefined
  /** Whether its certificate must be valid for its name. */
  mustBeVerified: boolean
}

/** A message in its transmitted form. */
export type Delivery = {
  envelopeSender: string
  recipient: string
  raw: Buffer
  /** Called right before the message is sent. If it rejects, nothing is sent, and `hand` rejects too. */
  onData?: (() => Promise<void>) | undefined
  /** It must not get to a second host after one that may have taken it. */
  isOnce?: boolean
}

/** `isUntouched`: the session ended before the message began to be sent. */
export type HandOverResult = AttemptResult & { isUntouched: boolean }

const CONNECT_MS = 20_000
// RFC 5321 section 4.5.3.2 allows minutes for each command; a slow reply defers the message.
const SOCKET_MS = 60_000
const QUIT_MS = 2000
const CONVERSATION_OCTETS = 4096

export class Session {
  readonly #connection: SMTPConnection
  readonly #peer: Peer
  #conversation = ''
  #onEnd: (reply: string) => void = () => {}
  isOver = false
  /** Messages handed over so far. */
  count = 0

  constructor(peer: Peer, ehlo: string) {
    this.#peer = peer
    this.#connection = new SMTPConnection({
      host: peer.host,
      port: peer.port,
      secure: peer.secure,
      name: ehlo,
      opportunisticTLS: true,
      requireTLS: peer.mustBeVerified && peer.credentials === undefined,
      // RFC 7435: without a known certificate, encryption is still better than none.
      tls: {
        rejectUnauthorized: peer.mustBeVerified,
        // RFC 6066 section 3: a server name is a name, never an address.
        ...(isIP(peer.name) === 0 && { servername: peer.name }),
      },
      connectionTimeout: CONNECT_MS,
      greetingTimeout: CONNECT_MS,
      socketTimeout: SOCKET_MS,
      transactionLog: true,
      logger: this.#conversationLogger() as never,
      ...(peer.localAddress === undefined ? {} : { localAddress: peer.localAddress }),
    })
    this.#connection.on('error', (error: unknown) => this.#end(replyOf(error)))
    this.#connection.on('end', () => this.#end(this.#closingReply()))
  }

  close(): void {
    this.isOver = true
    this.#connection.close()
  }

  /** Sends QUIT, and waits only briefly for the reply. */
  quit(): void {
    this.isOver = true
    this.#connection.quit()
    setTimeout(() => this.#connection.close(), QUIT_MS).unref()
  }

  /** Hands one message over, and connects first if needed. Rejects as `onData` does. */
  async hand(delivery: Delivery, signal: AbortSignal): Promise<HandOverResult> {
    let isTouched = false
    let refusal: unknown
    const abort = () => this.close()
    signal.addEventListener('abort', abort, { once: true })
    try {
      const result = await this.#resultOrEnd(async () => {
        if (this.count === 0) await this.#open()
        else if (this.#mayHoldEnvelope) await this.#call((done) => this.#connection.reset(done))
        this.count++
        const content = Readable.from(
          (async function* () {
            await delivery.onData?.().catch((error: unknown) => {
              refusal = error
              throw error
            })
            isTouched = true
            yield delivery.raw
          })(),
        )
        return this.#send(delivery, content)
      })
      if (refusal !== undefined) {
        // The host still waits for the message data.
        this.close()
        throw refusal
      }
      // An accepted or refused message stays so, however late the reply.
      if (result.is === 'deferred') signal.throwIfAborted()
      const isUnanswered = isTouched && result.is === 'deferred' && !isReply(result.reply)
      return {
        ...result,
        ...this.#hostAndConversation(),
        isUnanswered,
        isUntouched: !isTouched && this.isOver,
      }
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** After a refusal the host may still hold the envelope. */
  #mayHoldEnvelope = false

  async #open(): Promise<void> {
    await this.#call((done) => this.#connection.connect(done))
    const { credentials } = this.#peer
    if (!credentials) return
    const { user, password: pass } = credentials
    await this.#call((done) => this.#connection.login({ user, pass }, done)).catch(() => {
      // Our own credentials are wrong: the message is not at fault.
      throw new Deferred('4.7.8 the smarthost refused our credentials')
    })
  }

  async #send({ envelopeSender, recipient }: Delivery, content: Readable): Promise<AttemptResult> {
    const envelope = { from: envelopeSender, to: [recipient] }
    let reply = ''
    this.#mayHoldEnvelope = true
    await this.#call((done) =>
      this.#connection.send(envelope, content, (error: unknown, info?: { response?: string }) => {
        reply = info?.response ?? ''
        done(error)
      }),
    )
    this.#mayHoldEnvelope = false
    return { is: 'sent', reply }
  }

  #call(begin: (done: (error?: unknown) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      begin((error) => (error ? reject(error) : resolve()))
    })
  }

  /** The result of the work, or the end of the session, whichever comes first. */
  async #resultOrEnd(work: () => Promise<AttemptResult>): Promise<AttemptResult> {
    const ended = Promise.withResolvers<AttemptResult>()
    this.#onEnd = (reply) => ended.resolve({ is: 'deferred', reply, isSilent: isSilence(reply) })
    const done = work().catch((error: unknown) => resultOf(error))
    return Promise.race([done, ended.promise])
  }

  #end(reply: string): void {
    this.isOver = true
    this.#onEnd(reply)
  }

  /** RFC 5321 section 3.8: a server that closes sends 421, perhaps with a reason. */
  #closingReply(): string {
    const said = String(this.#connection.lastServerResponse || '')
    return said.startsWith('4') ? said : '4.4.2 the connection was closed'
  }

  /** The host, and the end of the dialogue with it. The library leaves secrets out. */
  #hostAndConversation() {
    const conversation = this.#conversation.slice(-CONVERSATION_OCTETS)
    this.#conversation = ''
    return { host: `${this.#peer.name} [${this.#peer.host}]`, conversation }
  }

  #conversationLogger() {
    const ignore = () => {}
    const debug = ({ tnx }: { tnx?: string } = {}, text?: unknown) => {
      if (tnx !== 'client' && tnx !== 'server') return
      const line = `${tnx === 'client' ? 'C' : 'S'}: ${String(text).slice(0, 1000)}\n`
      this.#conversation = (this.#conversation + line).slice(-2 * CONVERSATION_OCTETS)
    }
    return {
      level: ignore,
      trace: ignore,
      info: ignore,
      warn: ignore,
      error: ignore,
      fatal: ignore,
      debug,
    }
  }
}

/** A failure before the message was tried. */
class Deferred extends Error {
  override readonly name = 'Deferred'
}

/** RFC 5321 section 4.2.1: a 5yz reply is permanent; anything else is worth another try. */
function resultOf(error: unknown): AttemptResult {
  const code = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0
  const reply = replyOf(error)
  const is = code >= 500 && code < 600 ? 'failed' : 'deferred'
  return { is, reply, isSilent: is === 'deferred' && isSilence(reply) }
}

function replyOf(error: unknown): string {
  if (error instanceof Deferred) return error.message
  const said = error instanceof Error && 'response' in error ? String(error.response || '') : ''
  return said || (error instanceof Error ? `4.4.1 ${error.message}` : '4.4.1 no connection')
}

/** A host's reply begins with a three-digit code; our own text with an enhanced one. */
const isReply = (reply: string): boolean => /^\d{3}[ -]/.test(reply)

const isSilence = (reply: string): boolean => /^4\.4\.[12] /.test(reply)
