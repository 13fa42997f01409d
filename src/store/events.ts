/** Events: written with the change they describe, read as a domain's timeline or a workspace's feed. */
import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { EventType, NewEvent } from '#events/catalogue.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import type { Queryable } from './database.ts'
import type { Tables, WorldName } from './tables.ts'

export type EventRow = Selectable<Tables['events']>

/** The owner of events. */
type Owner = { workspaceId: string; world: WorldName }

/**
 * The only insert into events, as part of a statement: `rows` gives the columns named here. A rollback drops
 * the events too.
 */
export const insertEvents = (rows: RawBuilder<unknown>): RawBuilder<unknown> => sql`
  insert into events (id, workspace_id, world, domain_id, type, stage, message, data) ${rows}`

const MS_IN_HEX = sql`lpad(to_hex((extract(epoch from now()) * 1000)::bigint), 12, '0')`

/** The id of an event made in SQL: a UUIDv7 (RFC 9562 section 5.7), as `newId` makes them. */
export const NEW_ID: RawBuilder<unknown> = sql`
  overlay(overlay(gen_random_uuid()::text placing substr(${MS_IN_HEX}, 1, 8) from 1 for 8)
    placing substr(${MS_IN_HEX}, 9) || '-7' from 10 for 6)::uuid`

/** An event as `jsonb_populate_recordset(null::events, …)` reads it. */
const asRow = (event: NewEvent) => ({ stage: null, data: {}, ...event, id: newId() })

/** Part of a statement: events of the domain that `domain`, a table or a CTE with its columns, gives. */
export const insertDomainEvents = (
  domain: RawBuilder<unknown>,
  events: readonly NewEvent[],
): RawBuilder<unknown> =>
  insertEvents(sql`
    select e.id, d.workspace_id, d.world, d.id, e.type, e.stage, e.message, e.data
      from ${domain} d, jsonb_populate_recordset(null::events, ${JSON.stringify(events.map(asRow))}) e`)

/** Writes an event of a domain, in the transaction of the change. */
export async function insertDomainEvent(
  tx: Queryable,
  domainId: string,
  event: NewEvent,
): Promise<void> {
  await insertDomainEvents(sql`(select * from domains where id = ${domainId})`, [event]).execute(tx)
}

/** A domain's timeline, newest first, starting before the event `before`. */
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

const NUMBERED_AT_ONCE = 1000
const NUMBERINGS = 20

/**
 * A page of an owner's events after the position `after`, in the order in which they became visible. Reading
 * assigns the positions, one reader at a time: so an event of a late commit comes late, and is never skipped.
 */
export async function readFeed(
  context: StoreContext,
  owner: Owner,
  { after, limit, types }: { after: string; limit: number; types: readonly EventType[] },
): Promise<EventRow[]> {
  const page = () => {
    const query = context.db
      .selectFrom('events')
      .selectAll()
      .where('workspace_id', '=', owner.workspaceId)
      .where('world', '=', owner.world)
      .where('position', '>', after)
    const chosen = types.length > 0 ? query.where('type', 'in', [...types]) : query
    return chosen.orderBy('position').limit(limit).execute()
  }
  const rows = await page()
  if (rows.length === limit) return rows
  let isNumbered = false
  // The next reader numbers the rest.
  for (let times = 0; times < NUMBERINGS && (await numberEvents(context, owner)); times++)
    isNumbered = true
  return isNumbered ? page() : rows
}

/** Whether there were events without a position. */
async function numberEvents({ db }: StoreContext, owner: Owner): Promise<boolean> {
  const { workspaceId, world } = owner
  const isOurs = sql`workspace_id = ${workspaceId} and world = ${world}`
  const { rows } = await sql`
    select from events where ${isOurs} and position is null limit 1`.execute(db)
  if (rows.length === 0) return false
  await db.transaction().execute(async (tx) => {
    // Locked until the positions are visible.
    await sql`
      insert into event_feeds (workspace_id, world) values (${workspaceId}, ${world})
      on conflict (workspace_id, world) do update set last = event_feeds.last`.execute(tx)
    await sql`
      with fresh as (
        select id, row_number() over (order by at, id) as place from (
          select id, at from events where ${isOurs} and position is null order by at, id limit ${NUMBERED_AT_ONCE}) e
      ), numbered as (
        update events e set position = f.last + fresh.place from fresh, event_feeds f
         where e.id = fresh.id and f.workspace_id = ${workspaceId} and f.world = ${world})
      update event_feeds set last = last + (select count(*) from fresh) where ${isOurs}`.execute(tx)
  })
  return true
}
