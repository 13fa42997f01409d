/** The timeline of a domain. */
import type { Selectable } from 'kysely'
import type { TimelineEvent } from '#domains/types.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import type { Tables } from './tables.ts'

export type EventRow = Selectable<Tables['events']>

/** A domain's timeline, newest first, from before the event `before` on. */
export function listEvents(
  { db }: StoreContext,
  domainId: string,
  { limit, before }: { limit: number; before: string | undefined },
): Promise<EventRow[]> {
  let query = db.selectFrom('events').selectAll().where('domain_id', '=', domainId)
  // Ids are in the order of time (UUIDv7).
  if (before !== undefined) query = query.where('id', '<', before)
  return query.orderBy('id', 'desc').limit(limit).execute()
}

/** Writes a line of the domain's timeline, in the transaction of what it tells of. */
export async function note(
  tx: Queryable,
  of: { domainId: string; workspaceId: string },
  event: TimelineEvent,
): Promise<void> {
  await tx
    .insertInto('events')
    .values({
      id: newId(),
      workspace_id: of.workspaceId,
      domain_id: of.domainId,
      type: event.type,
      stage: event.stage ?? null,
      message: event.message,
      data: JSON.stringify(event.data ?? {}) as never,
    })
    .execute()
}
