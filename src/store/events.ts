/** The timeline of a domain. */
import type { ConditionType } from '#domains/types.ts'
import { newId } from '../ids.ts'
import type { Queryable } from './database.ts'

export type TimelineEvent = {
  type: string
  message: string
  stage?: ConditionType
  data?: Record<string, unknown>
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
