/** The limits on the messages of any 24 hours. */
import { type RawBuilder, sql } from 'kysely'
import type { ReachedLimit } from '#mail/outgoing/gate.ts'
import type { Queryable } from './database.ts'
import type { WorldName } from './tables.ts'

/** Messages of any 24 hours; 0: no limit. A workspace is new for some days. */
export type SendingLimits = {
  workspace: number
  installation: number
  newWorkspace?: { days: number; limit: number }
}

/** So many `messages`, of an inbox if one sends them. */
export type SentBy = {
  workspaceId: string
  world: WorldName
  inbox: { id: string; dailyLimit: number } | undefined
  messages: number
}

const NO_LIMIT = { days: 0, limit: 0 }

/** The limits that leave too little room. The row of the inbox is locked by the caller. */
export async function reachedLimits(
  tx: Queryable,
  { workspaceId, world, inbox, messages }: SentBy,
  limits: SendingLimits,
): Promise<ReachedLimit[]> {
  const { newWorkspace = NO_LIMIT } = limits
  const isNew = sql`exists (select from workspaces w
    where w.id = ${workspaceId} and w.created_at > now() - ${newWorkspace.days} * interval '1 day')`
  const ofWorkspace = sql`workspace_id = ${workspaceId} and world = ${world}`
  const ofNewWorkspace = sql`${ofWorkspace} and ${isNew}`
  const ofInbox = sql`inbox_id = ${inbox?.id}`
  const reached = [
    inbox && (await reachedLimit(tx, 'inbox', inbox.dailyLimit, ofInbox, messages)),
    await reachedLimit(tx, 'workspace', limits.workspace, ofWorkspace, messages),
    await reachedLimit(tx, 'new workspace', newWorkspace.limit, ofNewWorkspace, messages),
    await reachedLimit(tx, 'installation', limits.installation, sql`world = ${world}`, messages),
  ]
  return reached.filter((each) => each !== undefined)
}

/**
 * Whether the last 24 hours leave too little room for so many `messages`. The one that must be forgotten first
 * decides when they may be accepted.
 */
async function reachedLimit(
  tx: Queryable,
  of: ReachedLimit['of'],
  limit: number,
  whose: RawBuilder<unknown>,
  messages: number,
): Promise<ReachedLimit | undefined> {
  if (limit === 0 && of !== 'inbox') return undefined
  if (of !== 'inbox')
    await sql`select pg_advisory_xact_lock(hashtext(${`limit of ${of}`}))`.execute(tx)
  const { rows } = await sql<{ endsAt: Date }>`
    select created_at + interval '24 hours' as "endsAt" from outgoing_messages
     where ${whose} and created_at > now() - interval '24 hours' and origin <> 'probe'
       and state <> 'cancelled'
     order by created_at desc offset ${Math.max(0, limit - messages)} limit 1`.execute(tx)
  if (limit >= messages) return rows[0] && { of, limit, endsAt: rows[0].endsAt }
  return { of, limit, endsAt: new Date(Date.now() + 86_400_000) }
}
