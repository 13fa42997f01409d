/** What the owner of an inbox changes: its settings, a pause, its removal. */
import { sql } from 'kysely'
import { pauseOf } from './circuit-breaker.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { Queryable } from './database.ts'
import { ownedBy, type Tenant } from './domains.ts'
import { wakeDomain } from './due-tables.ts'
import { findInbox, type InboxRow, insertInboxEvents } from './inboxes.ts'
import type { Blocker } from './remove-domain.ts'

export type InboxSettings = {
  displayName?: string | undefined
  dailyLimit?: number | undefined
  signature?: string | undefined
}

/** The inbox with its new settings; undefined when it is gone. */
export function changeInbox(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
  { displayName, dailyLimit, signature }: InboxSettings,
): Promise<InboxRow | undefined> {
  return db
    .updateTable('inboxes')
    .set({
      display_name: sql`coalesce(${displayName ?? null}, display_name)`,
      daily_limit: sql`coalesce(${dailyLimit ?? null}::int, daily_limit)`,
      signature: sql`coalesce(${signature ?? null}, signature)`,
    })
    .where('id', '=', id)
    .where((is) => is.and(ownedBy(tenant)))
    .where('removed_at', 'is', null)
    .returningAll()
    .executeTakeFirst()
}

/**
 * Pauses an active inbox, or resumes a paused one; an inbox that is so already stays as it is. Undefined when it is gone.
 * Resuming wakes the messages that were held, and begins a new count of bounces and complaints.
 */
export async function setPaused(
  context: StoreContext,
  tenant: Tenant,
  id: string,
  isPaused: boolean,
): Promise<InboxRow | undefined> {
  const [from, to] = isPaused ? (['ACTIVE', 'PAUSED'] as const) : (['PAUSED', 'ACTIVE'] as const)
  const says = isPaused ? 'paused' : 'resumed'
  await context.db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ id: string }>`
      with changed as (
        update inboxes set status = ${to}, ${isPaused ? sql`pause = ${pauseOf('user', BY_REQUEST)}` : resumed}
         where id = ${id} and workspace_id = ${tenant.workspaceId} and world = ${tenant.world}
           and status = ${from} and removed_at is null
        returning *),
      events as (${insertInboxEvents(`inbox.${says}`, sql`'The inbox ' || address || ${` was ${says}.`}`, isPaused ? sql`'{"reason": "user"}'::jsonb` : undefined)})
      select id from changed`.execute(tx)
    if (rows.length > 0 && !isPaused) await wakeMessagesOf(tx, id)
  })
  context.doorbell.ring(TOPICS.outgoingDue)
  return findInbox(context, tenant, id)
}

const BY_REQUEST = 'It was paused by a request.'
const resumed = sql`pause = null, counted_from = now(),
  problem = case when domain_id is null then null else problem end`

/** The active campaigns that use the inbox. */
async function blockersOfInbox(db: Queryable, id: string): Promise<Blocker[]> {
  const rows = await db
    .selectFrom('campaigns as c')
    .innerJoin('campaign_inboxes as ci', 'ci.campaign_id', 'c.id')
    .select(['c.id', 'c.name', 'c.status'])
    .where('ci.inbox_id', '=', id)
    .where('c.status', '=', 'ACTIVE')
    .execute()
  return rows.map((row) => ({ type: 'campaign', ...row }))
}

export type RemoveInbox = 'removed' | 'gone' | { blockers: readonly Blocker[] }

/**
 * Removes an inbox: it is in no list any more, its queued messages end, and a pass removes it at the services. Log-ins at
 * another provider are forgotten at once. Its conversations are kept for `mailDays`.
 */
export async function removeInbox(
  context: StoreContext,
  tenant: Tenant,
  id: string,
  mailDays: number,
): Promise<RemoveInbox> {
  const found = await findInbox(context, tenant, id)
  if (!found) return 'gone'
  const result = await context.db.transaction().execute(async (tx): Promise<RemoveInbox> => {
    // Domains are locked before their inboxes, as everywhere.
    if (found.domain_id !== null)
      await tx
        .selectFrom('domains')
        .select('id')
        .where('id', '=', found.domain_id)
        .forNoKeyUpdate()
        .execute()
    const blockers = await blockersOfInbox(tx, id)
    if (blockers.length > 0) return { blockers }
    const { rows } = await sql`
      with changed as (
        update inboxes set removed_at = now(), mail_until = now() + ${mailDays} * interval '1 day',
               torn_down_at = case when domain_id is null then now() end
         where id = ${id} and removed_at is null returning *),
      events as (${insertInboxEvents('inbox.deleted', sql`'The inbox ' || address || ' was deleted.'`)})
      select id from changed`.execute(tx)
    if (rows.length === 0) return 'gone'
    await wakeMessagesOf(tx, id)
    if (found.domain_id !== null) await wakeDomain(tx, found.domain_id)
    else await tx.deleteFrom('smtp_accounts').where('inbox_id', '=', id).execute()
    return 'removed'
  })
  context.doorbell.ring(TOPICS.domainsDue)
  context.doorbell.ring(TOPICS.outgoingDue)
  return result
}

/** Makes its queued messages due: whether they may leave has changed. */
async function wakeMessagesOf(tx: Queryable, inboxId: string): Promise<void> {
  await sql`
    with held as (
      select id from outgoing_messages where inbox_id = ${inboxId} and finished_at is null
       order by id for no key update)
    update outgoing_messages m set wake = wake + 1, next_at = least(next_at, now()) from held
     where m.id = held.id`.execute(tx)
}
