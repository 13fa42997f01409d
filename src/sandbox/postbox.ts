/**
 * The sandbox's outside mailboxes: they receive mail from the hosted domains, and send mail to
 * them. They store mail to `inbox.test`; the other domains refuse, defer or delay it.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { RRset } from '#drivers/zone/contract.ts'
import { decodedContent } from '#mail/content.ts'
import type { RecipientVerdict } from '#mail/incoming/recipient.ts'
import type { Authentication } from '#mail/incoming/results.ts'
import { compose } from '#mail/outgoing/compose.ts'
import type { DkimKey } from '#mail/outgoing/key.ts'
import type { AttemptResult } from '#mail/outgoing/mail.ts'
import { type TransferOptions, transfer } from '#mail/outgoing/transfer.ts'
import type { MailWorkers } from '#mail/workers/mail-workers.ts'
import { splitAddress } from '#names/localpart.ts'
import { dkimName, dkimRecord } from '#policy/dkim.ts'
import { dmarcRecord } from '#policy/dmarc.ts'
import { spfOfAddresses } from '#policy/spf.ts'
import type { Resolver } from '#resolver/resolver.ts'
import { listenInbound } from '#servers/smtp/inbound.ts'
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
  workers: MailWorkers
  keep(message: PostboxMessage): Promise<void>
  onError(error: unknown): void
}

const SLOW_MS = 30_000

/** Starts the SMTP server of the sandbox's mail domains, on loopback and a free port. */
export function startPostbox({ tls, resolver, workers, keep, onError }: PostboxOptions) {
  return listenInbound({
    address: SANDBOX.postboxAddress,
    port: 0,
    host: SANDBOX.postboxHost,
    tls,
    onError,
    recipient: answerFor,
    async receive({ raw, recipients, session }, signal) {
      const judge = { mailHost: SANDBOX.postboxHost, resolver }
      const inspection = await workers.inspect(raw, session, [judge], signal)
      if (inspection.is === 'refused') return inspection
      const lowered = recipients.map((recipient) => recipient.toLowerCase())
      await keep({
        envelopeSender: session.envelopeSender,
        recipients: lowered,
        raw: decodedContent(inspection.content),
        authentication: inspection.authentications[0]!,
      })
      return { is: 'kept', isJudged: inspection.isJudged }
    },
  })
}

async function answerFor(address: string, signal: AbortSignal): Promise<RecipientVerdict> {
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

/** The records of the mail domains in the sandbox's zone `test.`: MX, SPF, DKIM and DMARC. */
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

/** Sends a message from an outside mailbox: signed if `authentic`, else without a signature. */
export async function sendFromOutside(
  mail: OutsideMail,
  sign: (raw: Uint8Array, domain: string) => Promise<Buffer>,
  options: TransferOptions,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const { localpart, domain } = splitAddress(mail.from)!
  const { to: recipient, subject, text } = mail
  const author = { localpart, displayName: '' }
  const { content } = await compose({ origin: 'test', author, recipient, subject, text }, domain)
  const sent = mail.authentic ? await sign(content, domain) : content
  return transfer({ envelopeSender: mail.from, recipient: mail.to, raw: sent }, options, signal)
}
