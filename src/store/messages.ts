/** Incoming messages, and the conversations they start or join. */
import { type Selectable, sql } from 'kysely'
import { decodedContent } from '#mail/content.ts'
import type { Kind } from '#mail/incoming/kind.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import { ownedBy, type Tenant } from './domains.ts'
import { threadsWith } from './search-threads.ts'
import type { Tables } from './tables.ts'

/** A message as it was received, with its trace. */
export const receivedOctets = (row: {
  trace: string
  encoding: 'identity' | 'zstd'
  content: Buffer
}): Buffer => Buffer.concat([Buffer.from(row.trace), decodedContent(row)])

export type ThreadRow = Selectable<Tables['threads']>
export type ThreadFilter = {
  page: number
  limit: number
  campaignId: string | undefined
  isRead: boolean | undefined
  isStarred: boolean | undefined
  category: string | undefined
  inboxId: string | undefined
  domainId: string | undefined
  kind: Kind | undefined
  isArchived: boolean | undefined
  /** All in one of its messages. */
  words: readonly string[] | undefined
}

/** By its reader, or with its inbox or domain. */
const isArchived = sql`(threads.archived_at is not null or exists (
  select from inboxes i where i.id = threads.inbox_id and i.removed_at is not null))`

export async function listThreads(
  { db }: StoreContext,
  tenant: Tenant,
  filter: ThreadFilter,
): Promise<{ rows: ShownThread[]; total: number; unread: number }> {
  let query = db
    .selectFrom('threads')
    .where((is) => is.and(ownedBy(tenant)))
    // Hides expired mail whose rows are not yet deleted.
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('inboxes as i')
            .innerJoin('domains as d', 'd.id', 'i.domain_id')
            .select('i.id')
            .whereRef('i.id', '=', 'threads.inbox_id')
            .where(sql<boolean>`d.mail_until <= now() or i.mail_until <= now()`),
        ),
      ),
    )
  if (filter.inboxId !== undefined) query = query.where('inbox_id', '=', filter.inboxId)
  if (filter.domainId !== undefined)
    query = query.where('inbox_id', 'in', ({ selectFrom }) =>
      selectFrom('inboxes').select('id').where('domain_id', '=', filter.domainId!),
    )
  if (filter.words !== undefined) {
    const found = await threadsWith(db, tenant, filter.words)
    query = query.where('id', '=', ({ fn, val }) => fn.any(val([...found])))
  }
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind)
  if (filter.isArchived !== undefined)
    query = query.where(sql<boolean>`${isArchived} = ${filter.isArchived}`)
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
  const archives = await archivesOf(db, rows)
  return {
    rows: rows.map((row) => ({ ...row, archive: archives.get(row.inbox_id) })),
    total: Number(counts.total),
    unread: Number(counts.unread),
  }
}

/** The former inbox of a conversation: it, or its domain, was removed. */
export type Archive = { domain: string; address: string; at: Date }
export type ShownThread = ThreadRow & { archive: Archive | undefined }

export async function archivesOf(
  db: Queryable,
  rows: readonly ThreadRow[],
): Promise<Map<string, Archive>> {
  const inboxes = [...new Set(rows.map(({ inbox_id }) => inbox_id))]
  const removed = await db
    .selectFrom('inboxes as i')
    .innerJoin('domains as d', 'd.id', 'i.domain_id')
    .select(['i.id', 'i.address', 'd.name', 'i.removed_at'])
    .where('i.id', '=', (of) => of.fn.any(of.val(inboxes)))
    .where('i.removed_at', 'is not', null)
    .execute()
  return new Map(
    removed.map(({ id, address, name, removed_at }) => [
      id,
      { domain: name, address, at: removed_at! },
    ]),
  )
}
