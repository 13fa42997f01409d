/** Accepts outgoing messages; simultaneous ones in one transaction. */

import { promisify } from 'node:util'
import { zstdCompress, zstdCompressSync } from 'node:zlib'
import { type RawBuilder, sql } from 'kysely'
import { sendingObstacle } from '#domains/sending.ts'
import type { ClaimRef } from '#drivers/zone/contract.ts'
import {
  type Facts,
  NotAccepted,
  obstacleTo,
  type ReachedLimit,
  type Sending,
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
import { insertSentCopies } from './sent-copies.ts'
import { recipientHash, suppressedAmong } from './suppressions.ts'
import type { WorldName } from './tables.ts'

/** Messages of any 24 hours; 0: no limit. */
export type SendingLimits = { workspace: number; installation: number }

export type Acceptance = {
  world: WorldName
  /** The account of the service that sends it. */
  account: string
  limits: SendingLimits
}

type AcceptRequest = {
  claim: Pick<ClaimRef, 'claimId' | 'name'>
  mail: OutgoingMail
  acceptance: Acceptance
  recipientHash: Buffer
}
/** False when the claim is not registered with the embedded sender. */
type Answer = boolean | Error

const TOGETHER = { atOnce: 50, withinMs: 0, underWay: 4 }
/** When a service gets the message directly, the queue takes over after this. */
const HANDING_OVER_MS = 5 * 60_000

/**
 * Accepts a message once, by its id. False when the claim is not registered with the embedded sender. Throws
 * `NotAccepted`.
 */
export async function acceptMessage(
  context: StoreContext,
  claim: AcceptRequest['claim'],
  mail: OutgoingMail,
  acceptance: Acceptance,
): Promise<boolean> {
  const hash = recipientHash(context.vault, mail.recipient)
  const answer = await acceptorOf(context.db)({ claim, mail, acceptance, recipientHash: hash })
  if (answer instanceof Error) throw answer
  if (answer && isEmbedded(acceptance))
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
  acceptance.limits.installation > 0 ||
  mail.content.length > MAX_BATCHED_OCTETS

const sharesLimit = ({ mail: one }: AcceptRequest, { mail: other }: AcceptRequest): boolean =>
  one.id === other.id || (one.inboxId !== undefined && one.inboxId === other.inboxId)

const isEmbedded = ({ account }: Acceptance): boolean => account === 'embedded'

async function acceptIn(tx: Queryable, round: readonly AcceptRequest[]): Promise<Answer[]> {
  const { workspaces, accepted } = await holdSenders(tx, round)
  const open = round.flatMap((request) => {
    const workspaceId = workspaces.get(request.claim.claimId)
    return workspaceId === undefined || accepted.has(request.mail.id)
      ? []
      : [{ ...request, workspaceId }]
  })
  const facts = await factsOf(tx, open)
  const obstacles = new Map(open.map(({ mail }) => [mail, obstacleTo(facts.get(mail)!)]))
  const ready = open.filter(({ mail }) => !obstacles.get(mail))
  if (ready.length > 0) await insertMessages(tx, ready)
  const copies = ready.flatMap(({ mail: { id, sentCopy } }) =>
    sentCopy ? { ...sentCopy, outgoingId: id } : [],
  )
  await insertSentCopies(tx, copies)
  return round.map(({ claim, mail }) => {
    const obstacle = obstacles.get(mail)
    return obstacle ? new NotAccepted(obstacle) : workspaces.has(claim.claimId)
  })
}

/**
 * The workspaces of the registered claims, and which messages are accepted already. Locks each registration,
 * so that a removal also takes what is queued.
 */
async function holdSenders(
  tx: Queryable,
  round: readonly AcceptRequest[],
): Promise<{ workspaces: ReadonlyMap<string, string>; accepted: ReadonlySet<string> }> {
  const claimIds = [...new Set(round.map(({ claim }) => claim.claimId))]
  const ids = round.map(({ mail }) => mail.id)
  const registered = sql`join sender_domains s on s.claim_id = c.id`
  const embedded = round.every(({ acceptance }) => isEmbedded(acceptance))
  const { rows } = await sql<{ claimId: string; workspaceId: string; accepted: string[] }>`
    select c.id as "claimId", c.workspace_id as "workspaceId",
           array(select id::text from outgoing_messages where id = any(${ids}::uuid[])) as accepted
      from claims c ${embedded ? registered : sql``}
     where c.id = any(${claimIds}::uuid[]) order by c.id
           ${embedded ? sql`for key share of s` : sql``}`.execute(tx)
  return {
    workspaces: new Map(rows.map(({ claimId, workspaceId }) => [claimId, workspaceId])),
    accepted: new Set(rows.flatMap((row) => row.accepted)),
  }
}

type OpenRequest = AcceptRequest & { workspaceId: string }

async function factsOf(
  tx: Queryable,
  open: readonly OpenRequest[],
): Promise<ReadonlyMap<OutgoingMail, Facts>> {
  const inboxes = await holdInboxes(tx, open)
  const asked = open.filter(({ mail }) => mail.origin !== 'probe')
  const sending = await sendingOf(
    tx,
    asked.map(({ claim }) => claim.claimId),
    new Date(),
  )
  const suppressed = await suppressedOf(tx, asked)
  const facts = new Map<OutgoingMail, Facts>()
  for (const request of open) {
    const { mail, claim } = request
    const octets = mail.content.length
    // A probe is sent before the domain is active.
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
        domain: sending.get(claim.claimId) ?? 'ended',
        inbox: inboxFact(mail.inboxId, inboxes),
        recipient: suppressed.has(mail) ? 'suppressed' : 'accepts',
        octets,
        reached: await reachedLimits(tx, request, inboxes),
      })
  }
  return facts
}

/** The messages whose recipients get no mail from their workspace. */
async function suppressedOf(
  tx: Queryable,
  requests: readonly OpenRequest[],
): Promise<ReadonlySet<OutgoingMail>> {
  const suppressed = new Set<OutgoingMail>()
  const byOwner = Map.groupBy(
    requests,
    ({ workspaceId, acceptance }) => `${workspaceId} ${acceptance.world}`,
  )
  for (const theirs of byOwner.values()) {
    const { workspaceId, acceptance } = theirs[0]!
    const hashes = theirs.map((request) => request.recipientHash)
    const found = await suppressedAmong(tx, { workspaceId, world: acceptance.world }, hashes)
    for (const request of theirs)
      if (found.has(request.recipientHash.toString('hex'))) suppressed.add(request.mail)
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

function inboxFact(id: string | undefined, inboxes: Inboxes): Facts['inbox'] {
  if (id === undefined) return 'none'
  const inbox = inboxes.get(id)
  if (inbox?.removed_at !== null) return 'removed'
  return inbox.status === 'PAUSED' ? 'paused' : 'there'
}

async function reachedLimits(
  tx: Queryable,
  { mail, workspaceId, acceptance: { world, limits } }: OpenRequest,
  inboxes: Inboxes,
): Promise<ReachedLimit[]> {
  const inbox = mail.inboxId === undefined ? undefined : inboxes.get(mail.inboxId)
  const ofWorkspace = sql`workspace_id = ${workspaceId} and world = ${world}`
  const reached = [
    inbox && (await reachedLimit(tx, 'inbox', inbox.daily_limit, sql`inbox_id = ${mail.inboxId}`)),
    await reachedLimit(tx, 'workspace', limits.workspace, ofWorkspace),
    await reachedLimit(tx, 'installation', limits.installation, sql`world = ${world}`),
  ]
  return reached.filter((each) => each !== undefined)
}

/**
 * Whether the last 24 hours reached the limit. The message that is `limit` back decides when the next may be.
 */
async function reachedLimit(
  tx: Queryable,
  of: ReachedLimit['of'],
  limit: number,
  whose: RawBuilder<unknown>,
): Promise<ReachedLimit | undefined> {
  if (limit === 0 && of !== 'inbox') return undefined
  if (of !== 'inbox')
    await sql`select pg_advisory_xact_lock(hashtext(${`limit of ${of}`}))`.execute(tx)
  const { rows } = await sql<{ endsAt: Date }>`
    select created_at + interval '24 hours' as "endsAt" from outgoing_messages
     where ${whose} and created_at > now() - interval '24 hours' and origin <> 'probe'
       and state <> 'cancelled'
     order by created_at desc offset ${Math.max(0, limit - 1)} limit 1`.execute(tx)
  if (limit > 0) return rows[0] && { of, limit, endsAt: rows[0].endsAt }
  return { of, limit, endsAt: new Date(Date.now() + 86_400_000) }
}

const zstd = promisify(zstdCompress)

/** A small message is compressed at once; a large one would hold the event loop. */
const compressed = (content: Buffer): Buffer | Promise<Buffer> =>
  content.length > MAX_BATCHED_OCTETS ? zstd(content) : zstdCompressSync(content)

async function insertMessages(tx: Queryable, requests: readonly OpenRequest[]): Promise<void> {
  const column = <T>(of: (request: OpenRequest) => T) => requests.map(of)
  const contents = await Promise.all(column(({ mail }) => compressed(mail.content)))
  const { octets, ends } = concatenated(contents)
  await sql`
    with new as (
      select * from unnest(
        ${column(({ mail }) => mail.id)}::uuid[], ${column(({ workspaceId }) => workspaceId)}::uuid[],
        ${column(({ acceptance }) => acceptance.world)}::text[],
        ${column(({ claim }) => claim.claimId)}::uuid[],
        ${column(({ mail }) => mail.inboxId ?? null)}::uuid[], ${column(({ mail }) => mail.origin)}::text[],
        ${column(({ acceptance }) => acceptance.account)}::text[],
        ${column(({ mail }) => mail.messageId)}::text[],
        ${column(({ mail, claim }) => `${mail.author}@${claim.name}`)}::text[],
        ${column(({ mail }) => mail.recipient)}::text[],
        ${column(({ mail }) => domainOf(mail.recipient).toLowerCase())}::text[],
        ${column((request) => (isEmbedded(request.acceptance) ? 0 : HANDING_OVER_MS))}::int[],
        ${column(() => newId())}::uuid[], ${column(({ mail }) => mail.content.length)}::int[],
        ${ends}::int[], ${contents.map(({ length }) => length)}::int[],
        ${column((request) => request.recipientHash)}::bytea[])
        as w (id, workspace_id, world, claim_id, inbox_id, origin, account, message_id, author, recipient,
              recipient_domain, wait_ms, content_id, octets, content_end, content_length, recipient_hash)
    ), content as (
      insert into message_contents (id, encoding, octets, content)
      select content_id, 'zstd', octets,
             substring(${octets}::bytea from content_end - content_length + 1 for content_length)
        from new
    )
    insert into outgoing_messages (id, workspace_id, world, claim_id, inbox_id, origin, account, message_id,
        author, recipient, recipient_domain, content_id, next_at, recipient_hash)
      select id, workspace_id, world, claim_id, inbox_id, origin, account, message_id,
             author, recipient, recipient_domain, content_id, now() + wait_ms * interval '1 ms', recipient_hash
        from new`.execute(tx)
}

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
