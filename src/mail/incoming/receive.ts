/** Receives a message: judges it once for each world, then stores it, or judges it as a probe. */
import { randomUUID } from 'node:crypto'
import { isReportsLocalpart, localpartOf } from '#names/localpart.ts'
import type { Resolver } from '#resolver/resolver.ts'
import type { StoredContent } from '../content.ts'
import { readBounceAddress } from '../outgoing/bounce-address.ts'
import type { AggregateReport } from '../reports/aggregate.ts'
import type { Report } from '../reports/read-report.ts'
import type { MailWorkers } from '../workers/mail-workers.ts'
import type { Inspected } from '../workers/protocol.ts'
import { type Description, threadKey, threadWith } from './describe.ts'
import type { Kind } from './kind.ts'
import {
  findRecipient,
  type Recipient,
  type RecipientStore,
  type RecipientWorld,
} from './recipient.ts'
import type { Refused } from './refused.ts'
import type { Authentication } from './results.ts'
import type { Session } from './session.ts'
import { traceOf } from './trace.ts'

/** Looks up recipients, and stores messages. */
export type IncomingStore = RecipientStore & {
  /** Stores the content once with all its copies, or throws and stores nothing. */
  keep(content: StoredContent, copies: readonly Copy[]): Promise<void>
  /** Records a report about one of our messages. Idempotent. */
  recordReport(report: Report, about: ReportedMessage): Promise<void>
  judgeProbe(recipient: string, authentication: Authentication): Promise<boolean>
  /** Stores a DMARC report about the claim's domain, once. */
  keepAggregate(received: ReceivedReport): Promise<void>
}

/** A DMARC report, and the author of its message, authenticated or not. */
export type ReceivedReport = {
  claimId: string
  author: string
  isAuthentic: boolean
  report: AggregateReport
}

/** One recipient's copy of a message. `threadKey` identifies its conversation. */
export type Copy = {
  /** Null for the operator's mail. */
  claimId: string | null
  localpart: string
  recipient: string
  envelopeSender: string
  author: string
  /** The other party of its conversation. */
  correspondent: string
  subject: string
  preview: string
  kind: Kind
  words: readonly string[]
  threadKey: string
  trace: string
  authentication: Authentication
}

/**
 * The message that a report is about: the message whose bounce address received the report;
 * otherwise the message that it names, if it reached that message's author. A complaint may reach
 * any address.
 */
export type ReportedMessage = { id: string } | { messageId: string; author: string | undefined }

export type ReceiveOptions = {
  store: IncomingStore
  workers: MailWorkers
  worlds: readonly (RecipientWorld & { resolver: Resolver })[]
}

/** `raw` is a view of shared memory. */
export type ReceivedMessage = { raw: Uint8Array; recipients: readonly string[]; session: Session }

/** `isJudged` is false if judging the message took too long. */
export type Received = Refused | { is: 'kept'; isJudged: boolean }

/** Receives a message for all its recipients, or throws: the client then tries again. */
export async function receive(
  { raw, recipients, session }: ReceivedMessage,
  { store, workers, worlds }: ReceiveOptions,
  signal: AbortSignal,
): Promise<Received> {
  const found = await Promise.all(recipients.map((each) => findRecipient(each, worlds, store)))
  const locals = found.map(asLocal)
  const judges = worlds.filter(({ name }) => locals.some(({ world }) => world === name))
  const inspection = await workers.inspect(raw, session, judges, signal)
  if (inspection.is === 'refused') return inspection
  const { report } = inspection.description
  for (const about of report ? reportedIn(locals, report) : [])
    await store.recordReport(report!, about)
  const copies: Copy[] = []
  for (const local of distinct(locals)) {
    const index = judges.findIndex(({ name }) => name === local.world)
    const authentication = inspection.authentications[index]!
    const mailHost = judges[index]!.mailHost
    const taken = { session, authentication, mailHost, description: inspection.description }
    if (local.is === 'bounce') copies.push(...returnedCopy(local, taken))
    else if (local.is !== 'probe') {
      if (takesReports(local))
        await keepReports(local, inspection, authentication, { store, workers })
      copies.push(copyFor(local, taken))
    }
    // An unjudged probe proves nothing: the domain waits for the next probe.
    else if (inspection.isJudged) await store.judgeProbe(local.address, authentication)
  }
  // The last write, in one statement: a retry must not store copies twice. Probes are idempotent.
  if (copies.length > 0) await store.keep(inspection.content, copies)
  return { is: 'kept', isJudged: inspection.isJudged }
}

/** Stores the DMARC report in a message to the address that our DMARC records name. */
async function keepReports(
  { claimId }: LocalRecipient & { is: 'customer' },
  { content, description: { author } }: Pick<Inspected, 'content' | 'description'>,
  { dmarc }: Authentication,
  { store, workers }: Pick<ReceiveOptions, 'store' | 'workers'>,
): Promise<void> {
  const report = await workers.readAggregate(content)
  const isAuthentic = dmarc.result === 'pass'
  if (report) await store.keepAggregate({ claimId, author, isAuthentic, report })
}

const takesReports = (local: LocalRecipient): local is LocalRecipient & { is: 'customer' } =>
  local.is === 'customer' && isReportsLocalpart(local.localpart)

type LocalRecipient = Extract<Recipient, { world: string }>

function asLocal(recipient: Recipient): LocalRecipient {
  if ('world' in recipient) return recipient
  throw new Error('A recipient was removed between RCPT and DATA')
}

/** Recipients that share a mailbox get one copy. */
function distinct(locals: readonly LocalRecipient[]): readonly LocalRecipient[] {
  const keyOf = (local: LocalRecipient) =>
    local.is === 'customer' ? `${local.claimId} ${local.localpart}` : local.address
  return [...new Map(locals.map((local) => [keyOf(local), local])).values()]
}

function* reportedIn(
  locals: readonly LocalRecipient[],
  report: Report,
): Generator<ReportedMessage> {
  const { messageId } = report
  const isComplaint = report.is === 'complaint'
  const named = isComplaint ? readBounceAddress(report.envelopeSender) : undefined
  if (named) yield { id: named.id }
  for (const local of locals) {
    if (local.is === 'bounce') yield { id: local.sent.id }
    else if (!named && messageId !== '')
      yield { messageId, author: isComplaint ? undefined : local.address }
  }
}

type JudgedMessage = {
  session: Session
  description: Description
  authentication: Authentication
  mailHost: string
}
type StoredRecipient = Exclude<LocalRecipient, { is: 'probe' | 'bounce' }>

function copyFor(local: StoredRecipient, taken: JudgedMessage): Copy {
  const { description, authentication } = taken
  const isForged = authentication.dmarc.result === 'fail'
  return {
    ...copyOf(taken),
    claimId: local.is === 'customer' ? local.claimId : null,
    localpart: local.is === 'customer' ? local.localpart : localpartOf(local.address),
    recipient: local.address,
    correspondent: description.author,
    threadKey: threadKey(description, isForged, randomUUID()),
  }
}

/** Mail to a bounce address joins the conversation of the message that the address belongs to. */
function returnedCopy(
  { sent, address }: LocalRecipient & { is: 'bounce' },
  taken: JudgedMessage,
): Copy[] {
  const { inbox, claimId, recipient, messageId } = sent
  if (inbox === undefined) return []
  const thread = {
    correspondent: recipient.toLowerCase(),
    threadKey: threadWith(recipient, messageId),
  }
  return [{ ...copyOf(taken), claimId, localpart: inbox, recipient: address, ...thread }]
}

function copyOf({ session, description, authentication, mailHost }: JudgedMessage) {
  const { author, subject, preview, kind, words } = description
  const trace = traceOf(session, authentication, mailHost)
  const { envelopeSender } = session
  return { envelopeSender, author, subject, preview, kind, words, trace, authentication }
}
