/** Messages that arrived, and the conversations they start or join. */
import type { Selectable } from 'kysely'
import type { KeptMessage } from '#mail/receive.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import { ownedBy, type Tenant } from './domains.ts'
import type { Tables } from './tables.ts'

/** Keeps all of these messages or none. */
export async function keepMessages(
  { db }: StoreContext,
  messages: readonly KeptMessage[],
): Promise<void> {
  await db.transaction().execute(async (tx) => {
    for (const message of messages) await keepMessage(tx, message)
  })
}

/** Where an inbox stands at the address, in a conversation of that inbox. */
async function keepMessage(tx: Queryable, message: KeptMessage): Promise<void> {
  const threadId = await joinThread(tx, message)
  await tx
    .insertInto('messages')
    .values({
      id: newId(),
      claim_id: message.claimId,
      thread_id: threadId ?? null,
      localpart: message.localpart,
      envelope_sender: message.envelopeSender,
      recipient: message.recipient,
      author: message.author,
      subject: message.subject,
      preview: message.preview,
      raw: message.raw,
      authentication: JSON.stringify(message.authentication) as never,
    })
    .execute()
}

async function joinThread(tx: Queryable, message: KeptMessage): Promise<string | undefined> {
  const inbox = await tx
    .selectFrom('inboxes as i')
    .innerJoin('claims as c', 'c.domain_id', 'i.domain_id')
    .select(['i.id', 'i.workspace_id', 'i.world'])
    .where('c.id', '=', message.claimId)
    .where('i.localpart', '=', message.localpart)
    .where('i.removed_at', 'is', null)
    .executeTakeFirst()
  if (!inbox) return undefined
  const latest = {
    last_message_preview: message.preview,
    last_message_at: new Date(),
    is_read: false,
  }
  const thread = await tx
    .insertInto('threads')
    .values({
      id: newId(),
      workspace_id: inbox.workspace_id,
      world: inbox.world,
      inbox_id: inbox.id,
      lead_email: message.author,
      subject: message.subject,
      thread_key: message.threadKey,
      category: null,
      campaign_id: null,
      ...latest,
    })
    .onConflict((c) => c.columns(['inbox_id', 'thread_key']).doUpdateSet(latest))
    .returning('id')
    .executeTakeFirstOrThrow()
  return thread.id
}

export type ThreadRow = Selectable<Tables['threads']>
export type ThreadFilter = {
  page: number
  limit: number
  campaignId: string | undefined
  isRead: boolean | undefined
  isStarred: boolean | undefined
  category: string | undefined
}

export async function listThreads(
  { db }: StoreContext,
  tenant: Tenant,
  filter: ThreadFilter,
): Promise<{ rows: ThreadRow[]; total: number; unread: number }> {
  let query = db.selectFrom('threads').where((is) => is.and(ownedBy(tenant)))
  if (filter.campaignId !== undefined) query = query.where('campaign_id', '=', filter.campaignId)
  if (filter.isRead !== undefined) query = query.where('is_read', '=', filter.isRead)
  if (filter.isStarred !== undefined) query = query.where('is_starred', '=', filter.isStarred)
  if (filter.category !== undefined) query = query.where('category', '=', filter.category)
  const counts = await query
    .select((e) => [
      e.fn.countAll<string>().as('total'),
      e.fn.countAll<string>().filterWhere('is_read', '=', false).as('unread'),
    ])
    .executeTakeFirstOrThrow()
  const rows = await query
    .selectAll()
    .orderBy('last_message_at', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit)
    .offset((filter.page - 1) * filter.limit)
    .execute()
  return { rows, total: Number(counts.total), unread: Number(counts.unread) }
}
