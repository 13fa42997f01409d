/** What happens to a message that comes in: judged, then kept, or taken as the proof it was sent to be. */
import PostalMime from 'postal-mime'
import { splitAddress } from '#names/localpart.ts'
import type { Resolver } from '#resolver/resolver.ts'
import type { RecipientVerdict } from '#servers/smtp/inbound.ts'
import { type Authentication, judgeMessage, type Session } from '#servers/smtp/judge.ts'
import { stampMessage } from './trace.ts'

/** Who may receive here, and where messages are kept. */
export type ReceiveBook = {
  mailDomain(domain: string, localpart: string): Promise<MailDomain>
  isProbe(recipient: string): Promise<boolean>
  /** Keeps all of them or, where it throws, none. */
  keep(messages: readonly KeptMessage[]): Promise<void>
  judgeProbe(recipient: string, authentication: Authentication): Promise<boolean>
}

export type MailDomain =
  | { is: 'hosted'; claimId: string; world: string; hasMailbox: boolean }
  | { is: 'tombstone' }
  | { is: 'unknown' }

/** A message as it is kept. `threadKey` is the same for a message and all replies to it. */
export type KeptMessage = {
  claimId: string
  localpart: string
  envelopeSender: string
  recipient: string
  author: string
  subject: string
  preview: string
  threadKey: string
  raw: Buffer
  authentication: Authentication
}

export type ReceiveOptions = {
  book: ReceiveBook
  /** Probe hosts, by world; the mail host we judge as; the resolver we judge with. */
  worlds: readonly { name: string; probeHost: string; mailHost: string; resolver: Resolver }[]
}

/** Whether we receive for an address (RFC 5321 section 3.3; enhanced codes of RFC 3463). */
export async function judgeRecipient(
  address: string,
  { book, worlds }: ReceiveOptions,
): Promise<RecipientVerdict> {
  const parts = splitAddress(address)
  if (!parts) return refused('5.1.3', 'Bad recipient address')
  if (worlds.some(({ probeHost }) => probeHost === parts.domain)) {
    // Probes are never refused for good: a bounce would come back to the domain being proven.
    return (await book.isProbe(address.toLowerCase()))
      ? ACCEPTED
      : deferred('4.2.0', 'No probe expected here')
  }
  const domain = await book.mailDomain(parts.domain, parts.localpart)
  if (domain.is === 'tombstone')
    return deferred('4.3.2', 'This domain is being moved, try again later')
  if (domain.is === 'unknown') return refused('5.7.1', 'We do not relay')
  return domain.hasMailbox ? ACCEPTED : refused('5.1.1', 'No such mailbox')
}

const ACCEPTED: RecipientVerdict = { is: 'accepted' }
const refused = (enhanced: string, text: string): RecipientVerdict => ({
  is: 'refused',
  code: 550,
  enhanced,
  text,
})
const deferred = (enhanced: string, text: string): RecipientVerdict => ({
  is: 'deferred',
  code: 450,
  enhanced,
  text,
})

/** Takes a message for all its recipients, or throws: then the client keeps it and tries again. */
export async function receive(
  { raw, recipients, session }: ReceivedMessage,
  options: ReceiveOptions,
  signal: AbortSignal,
): Promise<void> {
  const places = await Promise.all(recipients.map((recipient) => placeOf(recipient, options)))
  const described = await describe(raw, session)
  const kept: KeptMessage[] = []
  for (const [world, here] of Map.groupBy(places, (place) => place.world)) {
    const authentication = await judgeMessage(raw, session, world.mailHost, world.resolver, signal)
    const stamped = stampMessage(raw, session, authentication, world.mailHost)
    for (const { recipient, localpart, claimId } of here) {
      if (claimId === undefined) await options.book.judgeProbe(recipient, authentication)
      else {
        const { envelopeSender } = session
        const copy = { claimId, localpart, recipient, envelopeSender, ...described }
        kept.push({ ...copy, raw: stamped, authentication })
      }
    }
  }
  // Last, and all at once: what is tried again must not be kept twice. To judge a probe again does nothing.
  if (kept.length > 0) await options.book.keep(kept)
}

export type ReceivedMessage = { raw: Buffer; recipients: readonly string[]; session: Session }

/** Whose a recipient is; without a claim it is a probe's. */
type Place = {
  recipient: string
  localpart: string
  claimId: string | undefined
  world: ReceiveOptions['worlds'][number]
}

async function placeOf(recipient: string, { book, worlds }: ReceiveOptions): Promise<Place> {
  const { domain, localpart } = splitAddress(recipient)!
  const probed = worlds.find(({ probeHost }) => probeHost === domain)
  if (probed)
    return { recipient: recipient.toLowerCase(), localpart, claimId: undefined, world: probed }
  const found = await book.mailDomain(domain, localpart)
  const world = worlds.find(({ name }) => found.is === 'hosted' && name === found.world)
  if (!world || found.is !== 'hosted') throw new Error(`${domain} went away between RCPT and DATA`)
  return { recipient, localpart, claimId: found.claimId, world }
}

const PREVIEW_LENGTH = 200

async function describe(raw: Buffer, { envelopeSender }: Session) {
  const mail = await PostalMime.parse(raw)
  const author = storable(mail.from?.address || envelopeSender).toLowerCase()
  const subject = storable(mail.subject ?? '')
  const text = storable(mail.text ?? '')
    .replace(/\s+/g, ' ')
    .trim()
  return {
    author,
    subject,
    preview: text.slice(0, PREVIEW_LENGTH),
    threadKey: storable(threadKeyOf(mail, author)),
  }
}

/** Postgres holds no U+0000 in text; the message itself is kept as octets. */
const storable = (text: string): string => text.replaceAll('\0', '')

/** The first message referred to names the conversation (RFC 5322 section 3.6.4). */
function threadKeyOf(mail: Awaited<ReturnType<typeof PostalMime.parse>>, author: string): string {
  const first = /<[^>]+>/.exec(mail.references ?? '') ?? /<[^>]+>/.exec(mail.inReplyTo ?? '')
  return first?.[0] ?? mail.messageId ?? `${author} ${mail.date ?? ''}`
}
