/** The queue of outgoing messages: picks the next ones, loads them, and records their attempts. */
import { type RawBuilder, sql } from 'kysely'
import { decodedContent } from '#mail/content.ts'
import type { Sending } from '#mail/outgoing/gate.ts'
import type { DkimKey } from '#mail/outgoing/key.ts'
import type { QueuedMail } from '#mail/outgoing/mail.ts'
import type { AttemptRecord } from '#mail/outgoing/queue.ts'
import type { Taking } from '#mail/outgoing/shares.ts'
import { isDeadAddress } from '#mail/reports/dead-address.ts'
import { localpartOf } from '#names/localpart.ts'
import { sendingOf } from './accept-messages.ts'
import { judgingSenders } from './circuit-breaker.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import { sealLabel } from './dkim-keys.ts'
import { deleteUnusedContents } from './message-contents.ts'
import { insertMessageEvents, MESSAGE_EVENT_COLUMNS } from './message-events.ts'
import { isSendingOn } from './sending-stops.ts'
import { isSuppressed, suppressRecipients } from './suppressions.ts'
import type { WorldName } from './tables.ts'

/** Probes have their own lane, so that no customer's mail delays a domain. */
export type Lane = 'probes' | 'others'

/** The messages of a lane, in the worlds of this process; none while sending is stopped. */
export const messagesOfLane = (
  lane: Lane,
  worlds: readonly WorldName[],
): RawBuilder<unknown> => sql`
  world = any(${[...worlds]}::text[]) and (origin = 'probe') = ${lane === 'probes'} and ${isSendingOn}`

/** Workspaces considered in one taking. */
const WORKSPACES = 100

/**
 * The ids of due messages, round-robin over workspaces. A loose index scan finds the workspaces: its cost
 * grows with their number, not with the length of the queue.
 */
export function pickMessages(
  limit: number,
  which: RawBuilder<unknown>,
  { after, workspaces, destinations, ofWorkspace, toDestination }: Taking,
): RawBuilder<unknown> {
  return sql`
    with recursive ${workspacesAfter('later', sql`workspace_id > ${after}::uuid`)},
    ${workspacesAfter('sooner', sql`true`)},
    tenants as (
      (select id from later where id is not null limit ${WORKSPACES})
      union all
      (select id from sooner where id <= ${after}::uuid limit ${WORKSPACES})
      limit ${WORKSPACES}),
    due as (
      select m.id, m.next_at, m.recipient_domain,
             row_number() over (partition by tenants.id order by m.next_at) as turn,
             row_number() over (partition by m.recipient_domain order by m.next_at) as place
        from tenants cross join lateral (
          select id, next_at, recipient_domain from outgoing_messages
           where workspace_id = tenants.id and finished_at is null and ${which}
             and next_at <= now() and lease_until <= now()
             and recipient_domain <> all(${[...destinations]}::text[])
           order by next_at limit ${ofWorkspace} for no key update skip locked) m
       where tenants.id <> all(${[...workspaces]}::uuid[])
    )
    select id from due where place <= ${toDestination} order by turn, next_at limit ${limit}`
}

/** The workspaces with unfinished messages, by id. */
const workspacesAfter = (name: string, from: RawBuilder<unknown>) => sql`
    ${sql.ref(name)}(id) as (
      (select workspace_id from outgoing_messages where finished_at is null and ${from}
        order by workspace_id limit 1)
      union all
      (select (select m.workspace_id from outgoing_messages m
                where m.finished_at is null and m.workspace_id > w.id order by m.workspace_id limit 1)
         from ${sql.ref(name)} w where w.id is not null))`

type LoadedRow = {
  id: string
  workspace_id: string
  world: WorldName
  claim_id: string
  domain: string
  account: string
  origin: QueuedMail['origin']
  inbox_id: string | null
  inbox: QueuedMail['inbox']
  is_suppressed: boolean
  message_id: string
  author: string
  bounces_arrive: boolean
  recipient: string
  recipient_domain: string
  created_at: Date
  data_at: Date | null
  epoch: string
  encoding: 'identity' | 'zstd' | null
  content: Buffer | null
  selector: string | null
  private_key: string | null
  public_key: string | null
}

/** What an attempt at each message needs. Deleted messages are left out. */
export async function loadQueued(
  { db, vault }: StoreContext,
  ids: readonly string[],
  now: Date,
): Promise<QueuedMail[]> {
  const { rows } = await sql<LoadedRow>`
    select m.id, m.workspace_id, m.world, m.claim_id, c.name as domain, m.account, m.origin, m.inbox_id,
           case when m.inbox_id is null then 'none' when i.id is null or i.removed_at is not null then 'removed'
                when i.status = 'PAUSED' then 'paused' else 'there' end as inbox, m.message_id, m.author, m.recipient,
           m.recipient_domain, m.created_at, m.data_at, m.epoch, t.encoding, t.content, k.selector, k.private_key, k.public_key,
           ${bouncesArrive} as bounces_arrive, m.origin <> 'probe' and ${isSuppressed} as is_suppressed
      from outgoing_messages m
      join claims c on c.id = m.claim_id
      left join inboxes i on i.id = m.inbox_id
      left join message_contents t on t.id = m.content_id
      left join dkim_keys k on k.claim_id = m.claim_id and k.state = 'signing' and m.account = 'embedded'
     where m.id = any(${[...ids]}::uuid[])`.execute(db)
  const claimIds = rows.map(({ claim_id }) => claim_id)
  const sending = await sendingOf(db, claimIds, now)
  return rows.flatMap((row) => queuedMail(row, sending.get(row.claim_id)!, keyOf(row, vault)))
}

/** Whether both bounce records are public, with no others beside them. If not, bounces go to the author. */
const bouncesArrive = sql`
  m.account = 'embedded' and (
    select count(*) = 2 from records r where r.domain_id = c.domain_id and r.purpose = 'bounce'
       and r.status = 'published' and cardinality(r.observed) = 1)`

/** The current signing key. A secret is unsealed once for many messages. */
function keyOf(row: LoadedRow, vault: StoreContext['vault']): DkimKey | undefined {
  const { claim_id, selector, private_key: sealed, public_key: publicKey } = row
  if (selector === null || sealed === null || publicKey === null) return undefined
  const known = unsealed.get(sealed)
  if (known) return known
  if (unsealed.size >= KEYS_KNOWN) unsealed.clear()
  const key = { selector, publicKey, privateKey: vault.open(sealed, sealLabel(claim_id)) }
  unsealed.set(sealed, key)
  return key
}

const KEYS_KNOWN = 1000
const unsealed = new Map<string, DkimKey>()

function queuedMail(row: LoadedRow, domain: Sending, key: DkimKey | undefined): QueuedMail[] {
  if (row.encoding === null || row.content === null) return []
  const content = decodedContent({ encoding: row.encoding, content: row.content })
  return [
    {
      id: row.id,
      workspaceId: row.workspace_id,
      world: row.world,
      claim: { claimId: row.claim_id, name: row.domain, nameservers: [] },
      account: row.account,
      origin: row.origin,
      inboxId: row.inbox_id ?? undefined,
      inbox: row.inbox,
      recipientIs: row.is_suppressed ? 'suppressed' : 'accepts',
      domain,
      messageId: row.message_id,
      author: localpartOf(row.author),
      bouncesArrive: row.bounces_arrive,
      recipient: row.recipient,
      destination: row.recipient_domain,
      createdAt: row.created_at,
      isInDoubt: row.data_at !== null,
      epoch: row.epoch,
      key,
      content,
    },
  ]
}

const REPLY_LIMIT = 1000

/**
 * Writes the results of attempts and releases the messages; skips those with a lost lease. Deletes the octets
 * of finished messages unless others share them.
 */
export async function recordAttempts(
  { db }: StoreContext,
  attempts: readonly AttemptRecord[],
): Promise<void> {
  const failed = attempts.flatMap(({ row, result }) => (result.is === 'failed' ? row.id : []))
  const write = (tx: Queryable) => writeAttempts(tx, attempts)
  if (failed.length === 0) await write(db)
  else
    await db
      .transaction()
      .execute((tx) => judgingSenders(tx, sql`m.id = any(${failed}::uuid[])`, write))
}

async function writeAttempts(tx: Queryable, attempts: readonly AttemptRecord[]): Promise<void> {
  const column = <T>(of: (attempt: AttemptRecord) => T) => attempts.map(of)
  await sql`
    with ended as (
      select * from unnest(
        ${column(({ row }) => row.id)}::uuid[], ${column(({ row }) => row.epoch)}::bigint[],
        ${column(({ row }) => row.wake)}::bigint[], ${column(({ result }) => STATES[result.is])}::text[],
        ${column(({ result }) => result.reply.slice(0, REPLY_LIMIT))}::text[],
        ${column(({ result }) => result.host ?? '')}::text[],
        ${column(({ result }) => result.conversation ?? null)}::text[],
        ${column(({ afterMs }) => afterMs)}::float8[], ${column(({ failures }) => failures)}::int[],
        ${column(({ isAttempt }) => isAttempt)}::boolean[],
        ${column(({ result }) => result.isUnanswered === true)}::boolean[],
        ${column(({ result }) => result.is === 'failed' && isDeadAddress(result.reply))}::boolean[])
        as e (id, epoch, wake, state, reply, host, conversation, after_ms, failures, is_attempt, is_unanswered, is_dead)
    ), held as (
      select m.id from outgoing_messages m join ended e on e.id = m.id order by m.id for no key update of m
    ), changed as (
      update outgoing_messages m
         set state = e.state, last_reply = e.reply, failures = e.failures, lease_until = '-infinity',
             finished_at = case when e.state = 'deferred' then null else now() end,
             content_id = case when e.state = 'deferred' then m.content_id end,
             data_at = case when e.is_unanswered then m.data_at end,
             next_at = case when m.wake <> e.wake then now() else now() + e.after_ms * interval '1 ms' end
        from ended e, held, outgoing_messages before
       where m.id = held.id and m.id = e.id and m.epoch = e.epoch and before.id = m.id and m.finished_at is null
      returning ${MESSAGE_EVENT_COLUMNS}, before.content_id, e.host, e.conversation, e.is_attempt, e.is_dead
    ), new_events as (
      ${insertMessageEvents}
    ), ${suppressRecipients('bounced', sql`is_dead and is_attempt`)}, kept as (
      insert into attempts (outgoing_message_id, number, host, outcome, reply, conversation)
        select n.id, (select coalesce(max(a.number), 0) + 1 from attempts a where a.outgoing_message_id = n.id),
               n.host, n.state, n.last_reply, n.conversation
          from changed n where n.is_attempt
    ), gone as (select id, content_id from changed where state <> 'deferred')
    ${deleteUnusedContents}`.execute(tx)
}

const STATES = { sent: 'sent', deferred: 'deferred', failed: 'failed', unknown: 'unknown' } as const

type OfRow = Pick<QueuedMail, 'id' | 'epoch'>

/**
 * Called before the transfer of messages that are never repeated, as they may arrive whatever happens.
 * Returns the ids that may leave: still leased, not cancelled.
 */
export async function recordDataBegun(
  { db }: StoreContext,
  messages: readonly OfRow[],
): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ id: string }>`
    with held as (
      select m.id from outgoing_messages m
        join unnest(${messages.map(({ id }) => id)}::uuid[], ${messages.map(({ epoch }) => epoch)}::bigint[])
          as taken (id, epoch) on m.id = taken.id and m.epoch = taken.epoch
       where m.lease_until > '-infinity' and m.finished_at is null order by m.id for no key update of m)
    update outgoing_messages m set data_at = now() from held where m.id = held.id
    returning m.id`.execute(db)
  return new Set(rows.map(({ id }) => id))
}
