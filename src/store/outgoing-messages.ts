/** Outgoing messages and their attempts. */

import { type Selectable, sql } from 'kysely'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import { ownedBy, type Tenant } from './domains.ts'
import type { OutgoingState } from './mail-tables.ts'
import { deleteUnusedContents } from './message-contents.ts'
import { insertMessageEvents, MESSAGE_EVENT_COLUMNS } from './message-events.ts'
import type { Tables } from './tables.ts'

/** Cancels a claim's queued messages. Part of the caller's transaction. */
export async function cancelQueued(tx: Queryable, claimId: string): Promise<void> {
  await sql`
    with gone as (
      update outgoing_messages m set state = 'cancelled', finished_at = now(), content_id = null
        from outgoing_messages before
       where m.claim_id = ${claimId} and m.finished_at is null and before.id = m.id
      returning m.id, before.content_id)
    ${deleteUnusedContents}`.execute(tx)
}

/** Records how the transfer to an outside service ended. */
export async function recordHandedOver(
  { db }: StoreContext,
  id: string,
  state: Extract<OutgoingState, 'sent' | 'deferred' | 'failed'>,
  host: string,
  reply: string,
): Promise<void> {
  const isOver = state !== 'deferred'
  await sql`
    with changed as (
      update outgoing_messages m
         set state = ${state}, last_reply = ${reply}, failures = m.failures + 1,
             finished_at = case when ${isOver} then now() end,
             content_id = case when not ${isOver} then m.content_id end,
             next_at = now() + interval '1 minute'
        from outgoing_messages before
       where m.id = ${id} and m.finished_at is null and before.id = m.id
      returning ${MESSAGE_EVENT_COLUMNS}, before.content_id
    ), new_events as (
      ${insertMessageEvents}
    ), kept as (
      insert into attempts (outgoing_message_id, number, host, outcome, reply)
      select id, (select coalesce(max(number), 0) + 1 from attempts where outgoing_message_id = changed.id),
             ${host}, ${state}, ${reply} from changed
    ), gone as (select id, content_id from changed where ${isOver})
    ${deleteUnusedContents}`.execute(db)
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

/** More than a message has in its four days of attempts. */
const ATTEMPTS_SHOWN = 100
