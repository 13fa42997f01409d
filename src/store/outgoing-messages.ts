/** Messages that were accepted to be sent, and their attempts. */

import { zstdCompressSync } from 'node:zlib'
import { type RawBuilder, type Selectable, sql } from 'kysely'
import { sendingObstacle } from '#domains/sending.ts'
import type { ClaimRef } from '#drivers/zone/contract.ts'
import { type Facts, NotAccepted, obstacleTo, type ReachedLimit } from '#mail/outgoing/gate.ts'
import type { OutgoingMail } from '#mail/outgoing/mail.ts'
import { domainOf } from '#names/localpart.ts'
import { newId } from '../ids.ts'
import { conditionsInJson, toConditions, withDates } from './conditions.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { Queryable } from './database.ts'
import { ownedBy, type Tenant } from './domains.ts'
import type { OutgoingState } from './mail-tables.ts'
import { dropContentsOfGone } from './message-contents.ts'
import type { Tables, WorldName } from './tables.ts'

/** Messages of any 24 hours; 0: no limit. */
export type SendingLimits = { workspace: number; installation: number }

export type Acceptance = {
  world: WorldName
  /** The account of the service that sends it. */
  account: string
  limits: SendingLimits
}

/** Where a service is handed the message at once, the queue takes over if that does not end. */
const HANDING_OVER_MS = 5 * 60_000

/**
 * Accepts a message under its id, once. False where the claim is not registered with the embedded sender (any
 * more). Throws `NotAccepted`.
 */
export async function acceptMessage(
  { db, doorbell }: StoreContext,
  claim: Pick<ClaimRef, 'claimId' | 'name'>,
  mail: OutgoingMail,
  acceptance: Acceptance,
): Promise<boolean> {
  const isEmbedded = acceptance.account === 'embedded'
  const isAccepted = await db.transaction().execute(async (tx) => {
    const sender = await holdSender(tx, claim.claimId, mail.id, isEmbedded)
    if (!sender) return false
    const { workspaceId } = sender
    if (sender.isAccepted) return true
    const obstacle = obstacleTo(await factsOf(tx, claim.claimId, workspaceId, mail, acceptance))
    if (obstacle) throw new NotAccepted(obstacle)
    await insertMessage(tx, claim, workspaceId, mail, acceptance)
    return true
  })
  if (isAccepted && isEmbedded) doorbell.ring(TOPICS.outgoingDue)
  return isAccepted
}

/**
 * The claim's workspace, and whether the message has been accepted already; undefined without a registration. That
 * is held, so that what is queued is also what a removal takes away.
 */
async function holdSender(
  tx: Queryable,
  claimId: string,
  id: string,
  isEmbedded: boolean,
): Promise<{ workspaceId: string; isAccepted: boolean } | undefined> {
  const registered = sql`
    join sender_domains s on s.claim_id = c.id where c.id = ${claimId} for key share of s`
  const { rows } = await sql<{ workspaceId: string; isAccepted: boolean }>`
    select c.workspace_id as "workspaceId",
           exists (select from outgoing_messages where id = ${id}) as "isAccepted"
      from claims c ${isEmbedded ? registered : sql`where c.id = ${claimId}`}`.execute(tx)
  return rows[0]
}

async function insertMessage(
  tx: Queryable,
  { claimId, name }: Pick<ClaimRef, 'claimId' | 'name'>,
  workspaceId: string,
  mail: OutgoingMail,
  { world, account }: Acceptance,
): Promise<void> {
  const contentId = newId()
  const waitMs = account === 'embedded' ? 0 : HANDING_OVER_MS
  await sql`
    with content as (
      insert into message_contents (id, encoding, octets, content)
      values (${contentId}, 'zstd', ${mail.content.length}, ${zstdCompressSync(mail.content)}))
    insert into outgoing_messages (id, workspace_id, world, claim_id, inbox_id, origin, account, message_id,
        author, recipient, recipient_domain, content_id, next_at)
      values (${mail.id}, ${workspaceId}, ${world}, ${claimId}, ${mail.inboxId ?? null}, ${mail.origin},
        ${account}, ${mail.messageId}, ${`${mail.author}@${name}`}, ${mail.recipient},
        ${domainOf(mail.recipient).toLowerCase()}, ${contentId}, now() + ${waitMs} * interval '1 ms')`.execute(
    tx,
  )
}

/** The inbox is held meanwhile, so that two messages at once do not both take its last place. */
async function factsOf(
  tx: Queryable,
  claimId: string,
  workspaceId: string,
  mail: OutgoingMail,
  { world, limits }: Acceptance,
): Promise<Facts> {
  const octets = mail.content.length
  // A domain that becomes active sends its proof first.
  if (mail.origin === 'probe') return { domain: 'allowed', inbox: 'none', octets, reached: [] }
  const inbox =
    mail.inboxId === undefined
      ? undefined
      : await tx
          .selectFrom('inboxes')
          .select(['daily_limit', 'removed_at'])
          .where('id', '=', mail.inboxId)
          .forUpdate()
          .executeTakeFirst()
  const ofWorkspace = sql`workspace_id = ${workspaceId} and world = ${world}`
  const reached = [
    inbox && (await reachedLimit(tx, 'inbox', inbox.daily_limit, sql`inbox_id = ${mail.inboxId}`)),
    await reachedLimit(tx, 'workspace', limits.workspace, ofWorkspace),
    await reachedLimit(tx, 'installation', limits.installation, sql`world = ${world}`),
  ]
  return {
    domain: await sendingOf(tx, claimId, new Date()),
    inbox: inboxFact(mail.inboxId, inbox),
    octets,
    reached: reached.filter((each) => each !== undefined),
  }
}

function inboxFact(id: string | undefined, inbox: { removed_at: Date | null } | undefined) {
  if (id === undefined) return 'none'
  return inbox && inbox.removed_at === null ? 'there' : 'removed'
}

/**
 * Whether so many messages were accepted within the last 24 hours. The one that is as many back as the limit
 * says when the next may be.
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

/** Whether mail of a claim may leave, as of its domain's conditions. */
export async function sendingOf(
  db: Queryable,
  claimId: string,
  now: Date,
): Promise<Facts['domain']> {
  const domain = await db
    .selectFrom('holders as h')
    .innerJoin('claims as c', 'c.id', 'h.claim_id')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .select(['d.activated_at', 'd.looked_at', 'd.next_look_at', 'd.delegation', conditionsInJson])
    .where('h.claim_id', '=', claimId)
    .where('d.removal_requested_at', 'is', null)
    .executeTakeFirst()
  if (!domain) return 'ended'
  const conditions = toConditions(domain.conditions.map(withDates), domain)
  return sendingObstacle(conditions, domain.delegation, now) === undefined ? 'allowed' : 'held'
}

/** What is queued of a claim will not be sent. Part of the caller's transaction. */
export async function cancelQueued(tx: Queryable, claimId: string): Promise<void> {
  await sql`
    with gone as (
      update outgoing_messages m set state = 'cancelled', finished_at = now(), content_id = null
        from outgoing_messages before
       where m.claim_id = ${claimId} and m.finished_at is null and before.id = m.id
      returning m.id, before.content_id)
    ${dropContentsOfGone}`.execute(tx)
}

/** Notes how handing a message over to an outside service ended. */
export async function noteHandedOver(
  { db }: StoreContext,
  id: string,
  state: Extract<OutgoingState, 'sent' | 'deferred' | 'failed'>,
  host: string,
  reply: string,
): Promise<void> {
  const isOver = state !== 'deferred'
  await sql`
    with noted as (
      update outgoing_messages m
         set state = ${state}, last_reply = ${reply}, failures = m.failures + 1,
             finished_at = case when ${isOver} then now() end,
             content_id = case when not ${isOver} then m.content_id end,
             next_at = now() + interval '1 minute'
        from outgoing_messages before
       where m.id = ${id} and m.finished_at is null and before.id = m.id
      returning m.id, before.content_id
    ), kept as (
      insert into attempts (outgoing_message_id, number, host, outcome, reply)
      select id, (select coalesce(max(number), 0) + 1 from attempts where outgoing_message_id = noted.id),
             ${host}, ${state}, ${reply} from noted
    ), gone as (select id, content_id from noted where ${isOver})
    ${dropContentsOfGone}`.execute(db)
}

export type OutgoingRow = Selectable<Tables['outgoing_messages']>
export type OutgoingFilter = {
  page: number
  limit: number
  inboxId: string | undefined
  state: OutgoingState | undefined
  recipient: string | undefined
}

/** The messages of a workspace, the latest first, without the product's own probes. */
export async function listOutgoing(
  { db }: StoreContext,
  tenant: Tenant,
  { page, limit, inboxId, state, recipient }: OutgoingFilter,
): Promise<{ rows: OutgoingRow[]; total: number }> {
  let query = db
    .selectFrom('outgoing_messages')
    .where((is) => is.and(ownedBy(tenant)))
    .where('origin', '<>', 'probe')
  if (inboxId !== undefined) query = query.where('inbox_id', '=', inboxId)
  if (state !== undefined) query = query.where('state', '=', state)
  if (recipient !== undefined) query = query.where('recipient', '=', recipient)
  const { count } = await query
    .select((e) => e.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  const rows = await query
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .offset((page - 1) * limit)
    .execute()
  return { rows, total: Number(count) }
}

export type AttemptRow = Selectable<Tables['attempts']>

/** A message of the tenant with its attempts, the latest last; undefined where there is none. */
export async function findOutgoing(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
): Promise<{ row: OutgoingRow; attempts: AttemptRow[] } | undefined> {
  const row = await db
    .selectFrom('outgoing_messages')
    .selectAll()
    .where('id', '=', id)
    .where((is) => is.and(ownedBy(tenant)))
    .executeTakeFirst()
  if (!row) return undefined
  const attempts = await db
    .selectFrom('attempts')
    .selectAll()
    .where('outgoing_message_id', '=', id)
    .orderBy('number')
    .limit(ATTEMPTS_SHOWN)
    .execute()
  return { row, attempts }
}

/** More than a message has in the four days it is tried. */
const ATTEMPTS_SHOWN = 100
