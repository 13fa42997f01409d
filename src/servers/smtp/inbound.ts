/**
 * The SMTP server (RFC 5321) for the mailboxes hosted here; it relays nothing. The caller passes in the
 * recipient look-up and the storage.
 */
import type { SMTPServerAddress, SMTPServerSession } from 'smtp-server'
import type { Received, ReceivedMessage } from '#mail/incoming/receive.ts'
import type { RecipientVerdict } from '#mail/incoming/recipient.ts'
import type { Session } from '#mail/incoming/session.ts'
import {
  type Listener,
  type ListenerOptions,
  listenSmtp,
  type Protocol,
  type Tools,
} from './listener.ts'
import { checkParameters, settle, smtpError } from './replies.ts'

export type InboundOptions = ListenerOptions & {
  /** Whether there is hardly any disk space left for messages. */
  isShortOfSpace?(): Promise<boolean>
  recipient(address: string, signal: AbortSignal): Promise<RecipientVerdict>
  /** Stores the message durably, refuses it for good, or throws: the client then tries again. */
  receive(message: ReceivedMessage, signal: AbortSignal): Promise<Received>
}

// RFC 5321 section 4.5.3.1.8: at least 100 recipients.
export const RECIPIENT_LIMIT = 100
/** After so many messages that cost too much to judge, an address gets 421 for a while. */
const SUSPECT_AFTER = 3
const SUSPECT_MS = 600_000
const SUSPECTS_LIMIT = 10_000

/** RFC 1870, RFC 6152 and RFC 6531. */
const MAIL_PARAMETERS: readonly string[] = ['SIZE', 'BODY', 'SMTPUTF8']

export const listenInbound = (options: InboundOptions): Promise<Listener> =>
  listenSmtp(options, (tools) => inboundProtocol(options, tools))

function inboundProtocol(options: InboundOptions, { signal, troubled }: Tools): Protocol {
  const suspects = new Suspects()

  async function connected({ remoteAddress }: SMTPServerSession): Promise<void> {
    if (suspects.rests(remoteAddress))
      throw smtpError(421, '4.7.0', 'Messages from this address cost too much, try again later')
  }

  async function mailFrom(sender: SMTPServerAddress): Promise<void> {
    checkParameters(sender, MAIL_PARAMETERS)
    if (await options.isShortOfSpace?.())
      throw smtpError(452, '4.3.1', 'Insufficient storage, try again later')
  }

  async function rcpt(recipient: SMTPServerAddress, session: SMTPServerSession): Promise<void> {
    checkParameters(recipient, [])
    if (session.envelope.rcptTo.length >= RECIPIENT_LIMIT)
      throw smtpError(452, '4.5.3', 'Too many recipients')
    const verdict = await options.recipient(recipient.address, signal).catch(troubled)
    if (verdict.is !== 'accepted') throw smtpError(verdict.code, verdict.enhanced, verdict.text)
  }

  return {
    options: {
      authOptional: true,
      disabledCommands: ['AUTH'],
      onConnect: (session, reply) => settle(connected(session), reply),
      onMailFrom: (address, _session, reply) => settle(mailFrom(address), reply),
      onRcptTo: (address, session, reply) => settle(rcpt(address, session), reply),
    },
    async onMessage(raw, session) {
      const recipients = session.envelope.rcptTo.map(({ address }) => address)
      const message = { raw, recipients, session: sessionOf(session) }
      const received = await options.receive(message, signal).catch(troubled)
      if (received.is === 'refused')
        throw smtpError(received.code, received.enhanced, received.text)
      if (!received.isJudged) suspects.add(session.remoteAddress)
    },
  }
}

const sessionOf = (session: SMTPServerSession): Session => ({
  remoteAddress: session.remoteAddress,
  helo: session.hostNameAppearsAs || '',
  envelopeSender: session.envelope.mailFrom ? session.envelope.mailFrom.address : '',
})

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
