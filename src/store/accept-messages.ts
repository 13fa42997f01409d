/** Accepts outgoing messages; simultaneous ones in one transaction. */

import { promisify } from 'node:util'
import { zstdCompress, zstdCompressSync } from 'node:zlib'
import { sql } from 'kysely'
import { sendingObstacle } from '#domains/sending.ts'
import type { ClaimRef } from '#drivers/zone/contract.ts'
import type { StoredContent } from '#mail/content.ts'
import {
  type Facts,
  NotAccepted,
  obstacleTo,
  type Sending,
  type Stop,
} from '#mail/outgoing/gate.ts'
import type { OutgoingMail } from '#mail/outgoing/mail.ts'
import { domainOf } from '#names/localpart.ts'
import { batched, togetherOrAlone } from '../batched.ts'
import { newId } from '../ids.ts'
import { conditionsInJson, toConditions, withDates } from './conditions.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { type Database, perDatabase, type Queryable } from './database.ts'
import type { InboxRow } from './inboxes.ts'
import { concatenated, MAX_BATCHED_OCTETS } from './message-contents.ts'
import { reachedLimits, type SendingLimits } from './reached-limits.ts'
import { type RawStop, stopInJson } from './sending-stops.ts'
import { insertSentCopies } from './sent-copies.ts'
import { recipientHash, suppressedAmong } from './suppressions.ts'
import type { WorldName } from './tables.ts'

export type Acceptance = {
  world: WorldName
  /** The account of the service that sends it. */
  account: string
  limits: SendingLimits
}

/** A message to accept; its content may be in the form in which it is stored. */
export type AcceptedMail = Omit<OutgoingMail, 'content'> & { content: Buffer | StoredContent }

/** A further recipient of a message, with the id of the message to it. */
export type FurtherRecipient = Pick<OutgoingMail, 'id' | 'recipient' | 'sentCopy'>

type AcceptRequest = {
  claim: Pick<ClaimRef, 'claimId' | 'name'>
  mail: AcceptedMail
  acceptance: Acceptance
  /** Each becomes a message of its own; all of them share the octets. */
  recipients: readonly (FurtherRecipient & { hash: Buffer })[]
}
/** False when the claim is not registered with the embedded sender. */
type Answer = boolean | Error

const TOGETHER = { atOnce: 50, withinMs: 0, underWay: 4 }
/** When a service gets the message directly, the queue takes over after this. */
const HANDING_OVER_MS = 5 * 60_000

/**
 * Accepts a message once, by its id, for all its recipients or for none. False when the claim is not registered
 * with the embedded sender. Throws `NotAccepted`.
 */
export async function acceptMessage(
  context: StoreContext,
  claim: AcceptRequest['claim'],
  mail: AcceptedMail,
  acceptance: Acceptance,
  further: readonly FurtherRecipient[] = [],
): Promise<boolean> {
  const recipients = [mail, ...further].map(({ id, recipient, sentCopy }) => ({
    id,
    recipient,
    sentCopy,
    hash: recipientHash(context.vault, recipient),
  }))
  const answer = await acceptorOf(context.db)({ claim, mail, acceptance, recipients })
  if (answer instanceof Error) throw answer
  if (answer && isQueued(acceptance, mail))
    context.doorbell.ring(mail.origin === 'probe' ? TOPICS.probesDue : TOPICS.outgoingDue)
  return answer
}

const acceptorOf = perDatabase((db) =>
  batched<AcceptRequest, Answer>(TOGETHER, (requests) => acceptAll(db, requests)),
)

async function acceptAll(db: Database, requests: readonly AcceptRequest[]): Promise<Answer[]> {
  const answers = new Map<AcceptRequest, Answer>()
  for (const round of roundsOf(requests)) {
    const accepted = await togetherOrAlone(round, (requests) =>
      db.transaction().execute((tx) => acceptIn(tx, requests)),
    )
    for (const [index, answer] of accepted.entries()) answers.set(round[index]!, answer)
  }
  return requests.map((request) => answers.get(request)!)
}

/** Messages of one round share no limit: each check sees all accepted before it. */
function roundsOf(requests: readonly AcceptRequest[]): AcceptRequest[][] {
  const rounds: AcceptRequest[][] = []
  const alone: AcceptRequest[][] = []
  for (const request of requests) {
    const round = rounds.find((others) => !others.some((other) => sharesLimit(other, request)))
    if (isAlone(request)) alone.push([request])
    else if (round) round.push(request)
    else rounds.push([request])
  }
  return [...rounds, ...alone]
}

/** A limit of the workspace or installation applies to all messages. */
const isAlone = ({ mail, acceptance }: AcceptRequest): boolean =>
  !isEmbedded(acceptance) ||
  acceptance.limits.workspace > 0 ||
  (acceptance.limits.newWorkspace?.limit ?? 0) > 0 ||
  acceptance.limits.installation > 0 ||
  storedOctets(mail) > MAX_BATCHED_OCTETS

const storedOctets = ({ content }: AcceptedMail): number =>
  'encoding' in content ? content.content.length : content.length

const octetsOf = ({ content }: AcceptedMail): number =>
  'encoding' in content ? content.octets : content.length

const sharesLimit = ({ mail: one }: AcceptRequest, { mail: other }: AcceptRequest): boolean =>
  one.id === other.id || (one.inboxId !== undefined && one.inboxId === other.inboxId)

const isEmbedded = ({ account }: Acceptance): boolean => account === 'embedded'

async function acceptIn(tx: Queryable, round: readonly AcceptRequest[]): Promise<Answer[]> {
  const { workspaces, accepted, stop } = await holdSenders(tx, round)
  const open = round.flatMap((request) => {
    const workspaceId = workspaces.get(request.claim.claimId)
    return workspaceId === undefined || accepted.has(request.mail.id)
      ? []
      : [{ ...request, workspaceId, stop }]
  })
  const facts = await factsOf(tx, open)
  const obstacles = new Map(open.map(({ mail }) => [mail, obstacleTo(facts.get(mail)!)]))
  const ready = open.filter(({ mail }) => !obstacles.get(mail))
  if (ready.length > 0) await insertMessages(tx, ready)
  const copies = ready.flatMap(({ recipients }) =>
    recipients.flatMap(({ id, sentCopy }) => (sentCopy ? { ...sentCopy, outgoingId: id } : [])),
  )
  await insertSentCopies(tx, copies)
  return round.map(({ claim, mail }) => {
    const obstacle = obstacles.get(mail)
    return obstacle ? new NotAccepted(obstacle) : workspaces.has(claim.claimId)
  })
}

/**
 * The workspaces of the registered claims, which messages are accepted already, and the stop of all sending. Locks each registration,
 * so that a removal also takes what is queued.
 */
async function holdSenders(tx: Queryable, round: readonly AcceptRequest[]): Promise<Senders> {
  const claimIds = [...new Set(round.map(({ claim }) => claim.claimId))]
  const ids = round.map(({ mail }) => mail.id)
  const registered = sql`join sender_domains s on s.claim_id = c.id`
  const embedded = round.every(({ acceptance }) => isEmbedded(acceptance))
  const { rows } = await sql<SenderRow>`
    select c.id as "claimId", c.workspace_id as "workspaceId",
           array(select id::text from outgoing_messages where id = any(${ids}::uuid[])) as accepted, ${stopInJson} as stop
      from claims c ${embedded ? registered : sql``}
     where c.id = any(${claimIds}::uuid[]) order by c.id
           ${embedded ? sql`for key share of s` : sql``}`.execute(tx)
  const stop = rows[0]?.stop
  return {
    workspaces: new Map(rows.map(({ claimId, workspaceId }) => [claimId, workspaceId])),
    accepted: new Set(rows.flatMap((row) => row.accepted)),
    stop: stop ? { ...stop, at: new Date(stop.at) } : undefined,
  }
}

type SenderRow = {
  claimId: string
  workspaceId: string
  accepted: string[]
  stop: RawStop | null
}
type Senders = {
  workspaces: ReadonlyMap<string, string>
  accepted: ReadonlySet<string>
  stop: Stop | undefined
}

type OpenRequest = AcceptRequest & { workspaceId: string; stop: Stop | undefined }

async function factsOf(
  tx: Queryable,
  open: readonly OpenRequest[],
): Promise<ReadonlyMap<AcceptedMail, Facts>> {
  const inboxes = await holdInboxes(tx, open)
  const asked = open.filter(({ mail }) => mail.origin !== 'probe')
  const sending = await sendingOf(
    tx,
    asked.map(({ claim }) => claim.claimId),
    new Date(),
  )
  const suppressed = await suppressedOf(tx, asked)
  const facts = new Map<AcceptedMail, Facts>()
  for (const request of open) {
    const { mail, claim, stop, acceptance } = request
    const octets = octetsOf(mail)
    // A probe is sent before the domain is active. While all sending is stopped, it waits in the queue.
    if (mail.origin === 'probe')
      facts.set(mail, {
        domain: 'allowed',
        inbox: 'none',
        recipient: 'accepts',
        octets,
        reached: [],
      })
    else
      facts.set(mail, {
        stop,
        domain: sending.get(claim.claimId) ?? 'ended',
        inbox: inboxFact(mail.inboxId, inboxes),
        recipient: suppressed.has(mail) ? 'suppressed' : 'accepts',
        octets,
        reached: await reachedLimits(tx, sentBy(request, inboxes), acceptance.limits),
      })
  }
  return facts
}

/** The messages with a recipient that gets no mail from their workspace. */
async function suppressedOf(
  tx: Queryable,
  requests: readonly OpenRequest[],
): Promise<ReadonlySet<AcceptedMail>> {
  const suppressed = new Set<AcceptedMail>()
  const byOwner = Map.groupBy(
    requests,
    ({ workspaceId, acceptance }) => `${workspaceId} ${acceptance.world}`,
  )
  for (const theirs of byOwner.values()) {
    const { workspaceId, acceptance } = theirs[0]!
    const hashes = theirs.flatMap(({ recipients }) => recipients.map(({ hash }) => hash))
    const found = await suppressedAmong(tx, { workspaceId, world: acceptance.world }, hashes)
    for (const request of theirs)
      if (request.recipients.some(({ hash }) => found.has(hash.toString('hex'))))
        suppressed.add(request.mail)
  }
  return suppressed
}

type Inboxes = ReadonlyMap<string, Pick<InboxRow, 'daily_limit' | 'removed_at' | 'status'>>

/** Locks the inboxes, so that two messages at once do not both take the last place of one. */
async function holdInboxes(tx: Queryable, open: readonly AcceptRequest[]): Promise<Inboxes> {
  const ids = open.flatMap(({ mail }) => mail.inboxId ?? [])
  if (ids.length === 0) return new Map()
  const rows = await tx
    .selectFrom('inboxes')
    .select(['id', 'daily_limit', 'removed_at', 'status'])
    .where('id', '=', sql<string>`any(${ids}::uuid[])`)
    .orderBy('id')
    .forNoKeyUpdate()
    .execute()
  return new Map(rows.map(({ id, ...inbox }) => [id, inbox]))
}

function sentBy(
  { mail, recipients, workspaceId, acceptance: { world } }: OpenRequest,
  inboxes: Inboxes,
) {
  const inbox = mail.inboxId === undefined ? undefined : inboxes.get(mail.inboxId)
  return {
    workspaceId,
    world,
    inbox: inbox && { id: mail.inboxId!, dailyLimit: inbox.daily_limit },
    messages: recipients.length,
  }
}

function inboxFact(id: string | undefined, inboxes: Inboxes): Facts['inbox'] {
  if (id === undefined) return 'none'
  const inbox = inboxes.get(id)
  if (inbox?.removed_at !== null) return 'removed'
  return inbox.status === 'PAUSED' ? 'paused' : 'there'
}

const zstd = promisify(zstdCompress)

/** A small message is compressed at once; a large one would hold the event loop. */
const compressed = (content: Buffer): Buffer | Promise<Buffer> =>
  content.length > MAX_BATCHED_OCTETS ? zstd(content) : zstdCompressSync(content)

async function insertMessages(tx: Queryable, requests: readonly OpenRequest[]): Promise<void> {
  const contents = await Promise.all(requests.map(({ mail }) => stored(mail.content)))
  const contentIds = requests.map(() => newId())
  const { octets, ends } = concatenated(contents.map(({ content }) => content))
  const messages = requests.flatMap((request, index) =>
    request.recipients.map((to) => ({ ...request, to, contentId: contentIds[index]! })),
  )
  const column = <T>(of: (message: (typeof messages)[number]) => T) => messages.map(of)
  await sql`
    with content as (
      insert into message_contents (id, encoding, octets, content)
      select id, encoding, octets, substring(${octets}::bytea from ends - length + 1 for length)
        from unnest(
          ${contentIds}::uuid[], ${contents.map(({ encoding }) => encoding)}::text[],
          ${contents.map((each) => each.octets)}::int[], ${ends}::int[],
          ${contents.map(({ content }) => content.length)}::int[]) as c (id, encoding, octets, ends, length)
    )
    insert into outgoing_messages (id, workspace_id, world, claim_id, inbox_id, origin, account, message_id,
        author, recipient, recipient_domain, content_id, next_at, recipient_hash)
      select id, workspace_id, world, claim_id, inbox_id, origin, account, message_id,
             author, recipient, recipient_domain, content_id, now() + wait_ms * interval '1 ms', recipient_hash
        from unnest(
          ${column(({ to }) => to.id)}::uuid[], ${column(({ workspaceId }) => workspaceId)}::uuid[],
          ${column(({ acceptance }) => acceptance.world)}::text[],
          ${column(({ claim }) => claim.claimId)}::uuid[],
          ${column(({ mail }) => mail.inboxId ?? null)}::uuid[], ${column(({ mail }) => mail.origin)}::text[],
          ${column(({ acceptance }) => acceptance.account)}::text[],
          ${column(({ mail }) => mail.messageId)}::text[],
          ${column(({ mail, claim }) => `${mail.author}@${claim.name}`)}::text[],
          ${column(({ to }) => to.recipient)}::text[],
          ${column(({ to }) => domainOf(to.recipient).toLowerCase())}::text[],
          ${column(handingOverMs)}::int[], ${column(({ contentId }) => contentId)}::uuid[],
          ${column(({ to }) => to.hash)}::bytea[])
          as w (id, workspace_id, world, claim_id, inbox_id, origin, account, message_id, author, recipient,
                recipient_domain, wait_ms, content_id, recipient_hash)`.execute(tx)
}

/** How long the queue leaves the message to the caller, who hands it to an outside service. */
const handingOverMs = ({ acceptance, mail, stop }: OpenRequest): number =>
  isQueued(acceptance, mail) || stop ? 0 : HANDING_OVER_MS

/** Whether the queue sends the message; otherwise the caller does, and the queue only after an error. */
const isQueued = (acceptance: Acceptance, { origin }: AcceptedMail): boolean =>
  isEmbedded(acceptance) || origin === 'submission'

const stored = async (content: Buffer | StoredContent): Promise<StoredContent> =>
  'encoding' in content
    ? content
    : { encoding: 'zstd', octets: content.length, content: await compressed(content) }

/** Whether these claims may send, by their domains' conditions. */
export async function sendingOf(
  db: Queryable,
  claimIds: readonly string[],
  now: Date,
): Promise<ReadonlyMap<string, Sending>> {
  const sending = new Map<string, Sending>(claimIds.map((id) => [id, 'ended']))
  if (sending.size === 0) return sending
  const domains = await db
    .selectFrom('holders as h')
    .innerJoin('claims as c', 'c.id', 'h.claim_id')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .select(['h.claim_id', 'd.activated_at', 'd.looked_at', 'd.next_look_at', 'd.delegation'])
    .select(conditionsInJson)
    .where('h.claim_id', '=', sql<string>`any(${[...sending.keys()]}::uuid[])`)
    .where('d.removal_requested_at', 'is', null)
    .execute()
  for (const domain of domains) {
    const conditions = toConditions(domain.conditions.map(withDates), domain)
    const isHeld = sendingObstacle(conditions, domain.delegation, now) !== undefined
    sending.set(domain.claim_id, isHeld ? 'held' : 'allowed')
  }
  return sending
}
