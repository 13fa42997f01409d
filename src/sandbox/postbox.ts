/**
 * The sandbox's own mailboxes: the outside world that mail is sent to and comes from. Everything
 * `@inbox.test` is kept; the other domains refuse, put off, or take their time.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { composeSigned } from '#drivers/sender/embedded/compose.ts'
import {
  type AttemptResult,
  type DeliverOptions,
  deliver,
} from '#drivers/sender/embedded/deliver.ts'
import type { DkimKey } from '#drivers/sender/embedded/key.ts'
import type { RRset } from '#drivers/zone/contract.ts'
import { splitAddress } from '#names/localpart.ts'
import { dkimName, dkimRecord } from '#policy/dkim.ts'
import { dmarcRecord } from '#policy/dmarc.ts'
import { spfOfAddresses } from '#policy/spf.ts'
import type { Resolver } from '#resolver/resolver.ts'
import { listenInbound, type RecipientVerdict } from '#servers/smtp/inbound.ts'
import { type Authentication, judgeMessage } from '#servers/smtp/judge.ts'
import { SANDBOX } from './names.ts'

export type PostboxMessage = {
  envelopeSender: string
  recipients: readonly string[]
  raw: Buffer
  authentication: Authentication
}

export type PostboxOptions = {
  tls: { key: string; cert: string }
  resolver: Resolver
  keep(message: PostboxMessage): Promise<void>
  onError(error: unknown): void
}

const SLOW_MS = 30_000

/** Receives for the sandbox's mail domains, on loopback and a free port. */
export function startPostbox({ tls, resolver, keep, onError }: PostboxOptions) {
  return listenInbound({
    address: SANDBOX.postboxAddress,
    port: 0,
    host: SANDBOX.postboxHost,
    tls,
    onError,
    recipient: judgeRecipient,
    async deliver({ raw, recipients, session }, signal) {
      const authentication = await judgeMessage(raw, session, SANDBOX.postboxHost, resolver, signal)
      const { envelopeSender } = session
      const lowered = recipients.map((recipient) => recipient.toLowerCase())
      await keep({ envelopeSender, recipients: lowered, raw, authentication })
    },
  })
}

async function judgeRecipient(address: string, signal: AbortSignal): Promise<RecipientVerdict> {
  const domain = splitAddress(address)?.domain
  if (domain === 'slow.test') await delay(SLOW_MS, undefined, { signal })
  if (domain === 'inbox.test' || domain === 'slow.test') return { is: 'accepted' }
  if (domain === 'defers.test')
    return {
      is: 'deferred',
      code: 451,
      enhanced: '4.2.0',
      text: 'Put off, as this address always does',
    }
  if (domain === 'bounces.test')
    return {
      is: 'refused',
      code: 550,
      enhanced: '5.1.1',
      text: 'Refused, as this address always does',
    }
  return { is: 'refused', code: 550, enhanced: '5.7.1', text: 'We do not relay' }
}

/** What the sandbox's zone `test.` says of these domains, for mail to them and from inbox.test. */
export function postboxRecords(key: DkimKey): RRset[] {
  const exchangers = SANDBOX.mailDomains.map(
    (name): RRset => ({
      name: `${name}.`,
      type: 'MX',
      ttl: 60,
      data: [`10 ${SANDBOX.postboxHost}.`],
    }),
  )
  return [
    ...exchangers,
    { name: `${SANDBOX.postboxHost}.`, type: 'A', ttl: 60, data: [SANDBOX.postboxAddress] },
    {
      name: 'inbox.test.',
      type: 'TXT',
      ttl: 60,
      data: [spfOfAddresses(SANDBOX.postboxAddress)],
    },
    {
      name: `${dkimName(key.selector, 'inbox.test')}.`,
      type: 'TXT',
      ttl: 60,
      data: [dkimRecord(key.publicKey)],
    },
    { name: '_dmarc.inbox.test.', type: 'TXT', ttl: 60, data: [dmarcRecord('reject')] },
  ]
}

export type OutsideMail = {
  from: string
  to: string
  subject: string
  text: string
  authentic: boolean
}

/** Sends a mail from outside: signed as inbox.test where it is authentic, as a forger would otherwise. */
export async function sendFromOutside(
  mail: OutsideMail,
  key: DkimKey,
  options: DeliverOptions,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const author = splitAddress(mail.from)!
  const { raw } = await composeSigned(
    {
      author: { localpart: author.localpart, displayName: '' },
      recipient: mail.to,
      subject: mail.subject,
      text: mail.text,
      headers: {},
    },
    author.domain,
    key,
  )
  const sent = mail.authentic ? raw : withoutSignature(raw)
  return deliver({ envelopeSender: mail.from, recipient: mail.to, raw: sent }, options, signal)
}

/** The signature stands first; the message begins at the first header line that does not continue it. */
const withoutSignature = (raw: Buffer): Buffer =>
  Buffer.from(
    raw.toString('latin1').replace(/^DKIM-Signature:[^\r]*\r\n([ \t][^\r]*\r\n)*/i, ''),
    'latin1',
  )
