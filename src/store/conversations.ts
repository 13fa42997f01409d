/** One conversation: its thread, its messages, and what its reader notes. */
import { sql } from 'kysely'
import type { StoredContent } from '#mail/content.ts'
import type { Kind } from '#mail/incoming/kind.ts'
import type { Authentication } from '#mail/incoming/results.ts'
import type { StoreContext } from './context.ts'
import { ownedBy, type Tenant } from './domains.ts'
import type { OutgoingState } from './mail-tables.ts'
import { archivesOf, type ShownThread } from './messages.ts'

/** Undefined for one that is not there, or whose mail has expired. */
export async function findThread(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
): Promise<ShownThread | undefined> {
  const row = await db
    .selectFrom('threads')
    .selectAll()
    .where('id', '=', id)
    .where((is) => is.and(ownedBy(tenant)))
    .where(isKept)
    .executeTakeFirst()
  if (!row) return undefined
  const archives = await archivesOf(db, [row])
  return { ...row, archive: archives.get(row.inbox_id) }
}

/** The ids of the inbox's conversations with these keys. */
export async function threadsByKey(
  { db }: StoreContext,
  inboxId: string,
  keys: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await db
    .selectFrom('threads')
    .select(['id', 'thread_key'])
    .where('inbox_id', '=', inboxId)
    .where('thread_key', '=', sql<string>`any(${[...keys]}::text[])`)
    .execute()
  return new Map(rows.map(({ id, thread_key }) => [thread_key, id]))
}

const isKept = sql<boolean>`not exists (
  select from inboxes i join domains d on d.id = i.domain_id
   where i.id = threads.inbox_id and (d.mail_until <= now() or i.mail_until <= now()))`

/** What is undefined stays as it is. */
export type ThreadNotes = {
  isRead?: boolean
  togglesStar?: boolean
  isArchived?: boolean
  category?: string | null
}

/** False for a conversation that is not there. */
export async function noteThread(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
  { isRead, togglesStar = false, isArchived, category }: ThreadNotes,
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('threads')
    .set({
      is_read: sql`coalesce(${isRead ?? null}::boolean, is_read)`,
      is_starred: sql`is_starred <> ${togglesStar}`,
      ...(isArchived !== undefined && {
        archived_at: isArchived ? sql`coalesce(archived_at, now())` : null,
      }),
      ...(category !== undefined && { category }),
    })
    .where('id', '=', id)
    .where((is) => is.and(ownedBy(tenant)))
    .where(isKept)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export type ThreadMessage = {
  id: string
  author: string
  recipient: string
  subject: string
  at: Date
  authentication: Authentication
  kind: Kind
  contentId: string
  /** Null for a received message; of a sent one the id of the outgoing message. */
  outgoingId: string | null
  /** Null once the outgoing message has expired. */
  state: OutgoingState | null
}

/** One message of a conversation. */
export async function findThreadMessage(
  { db }: StoreContext,
  threadId: string,
  id: string,
): Promise<Pick<ThreadMessage, 'contentId'> | undefined> {
  const row = await db
    .selectFrom('messages')
    .select('content_id')
    .where('id', '=', id)
    .where('thread_id', '=', threadId)
    .executeTakeFirst()
  return row && { contentId: row.content_id }
}

/** The octets of a message, which may be as many as a message can have; undefined once they are deleted. */
export function findContent(
  { db }: StoreContext,
  contentId: string,
): Promise<Omit<StoredContent, 'octets'> | undefined> {
  return db
    .selectFrom('message_contents')
    .select(['encoding', 'content'])
    .where('id', '=', contentId)
    .executeTakeFirst()
}

/** The latest messages of a conversation, the oldest of them first; without their octets. */
export async function messagesOfThread(
  { db }: StoreContext,
  threadId: string,
  limit: number,
): Promise<ThreadMessage[]> {
  const rows = await db
    .selectFrom('messages as m')
    .leftJoin('outgoing_messages as o', 'o.id', 'm.outgoing_id')
    .select([
      'm.id',
      'm.author',
      'm.recipient',
      'm.subject',
      'm.received_at',
      'm.authentication',
      'm.kind',
    ])
    .select(['m.outgoing_id', 'm.content_id', 'o.state'])
    .where('m.thread_id', '=', threadId)
    .orderBy('m.received_at', 'desc')
    .orderBy('m.id', 'desc')
    .limit(limit)
    .execute()
  return rows.toReversed().map((row) => ({
    id: row.id,
    author: row.author,
    recipient: row.recipient,
    subject: row.subject,
    at: row.received_at,
    authentication: row.authentication,
    kind: row.kind,
    contentId: row.content_id,
    outgoingId: row.outgoing_id,
    state: row.state,
  }))
}
