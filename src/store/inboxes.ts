/** Inboxes as rows: a mailbox and the right to send, at one address. */
import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { InboxStore } from '#domains/ports.ts'
import type { EventType } from '#events/catalogue.ts'
import type { StoreContext } from './context.ts'
import { ownedBy, type Tenant } from './domains.ts'
import { insertEvents, NEW_ID } from './events.ts'
import type { Tables } from './tables.ts'

export type InboxRow = Selectable<Tables['inboxes']>

/** A domain's inboxes, for one pass. */
export function inboxStore({ db }: StoreContext): InboxStore {
  return {
    async list({ id }) {
      const rows = await db
        .selectFrom('inboxes')
        .select(['localpart', 'display_name', 'removed_at'])
        .where('domain_id', '=', id)
        .where((is) => is.or([is('removed_at', 'is', null), is('torn_down_at', 'is', null)]))
        .execute()
      const [wanted, removed] = [
        rows.filter(({ removed_at }) => removed_at === null),
        rows.filter(({ removed_at }) => removed_at !== null),
      ]
      return {
        wanted: wanted.map((row) => ({ localpart: row.localpart, displayName: row.display_name })),
        unwanted: removed.map(({ localpart }) => localpart),
      }
    },
    async removed({ id }, localparts) {
      if (localparts.length === 0) return
      await db
        .updateTable('inboxes')
        .set({ torn_down_at: sql`now()` })
        .where('domain_id', '=', id)
        .where('localpart', 'in', [...localparts])
        .where('removed_at', 'is not', null)
        .where('torn_down_at', 'is', null)
        .execute()
    },
    async ready({ id }, localparts) {
      if (localparts.length === 0) return
      await sql`
        with changed as (
          update inboxes
             set status = case status when 'PENDING' then 'ACTIVE' else status end, problem = null
           where domain_id = ${id} and localpart = any(${[...localparts]}::text[])
             and (status = 'PENDING' or problem is not null) and removed_at is null
          returning *)
        ${insertInboxEvents('inbox.ready', sql`'The inbox ' || address || ' can be used.'`)}`.execute(
        db,
      )
    },
    async refused({ id }, localpart, refusal) {
      const problem = JSON.stringify(refusal)
      await sql`
        with changed as (
          update inboxes set problem = ${problem}::jsonb
           where domain_id = ${id} and localpart = ${localpart} and removed_at is null
             and problem is distinct from ${problem}::jsonb
          returning *)
        ${insertInboxEvents('inbox.refused', sql`'The inbox ' || address || ' was refused: ' || ${refusal.message}`, sql`jsonb_build_object('reason', ${refusal.reason}::text)`)}`.execute(
        db,
      )
    },
  }
}

/** Inserts an event for each inbox in the CTE `changed`, or for each row that is `joined` to it. */
export const insertInboxEvents = (
  type: EventType,
  message: RawBuilder<unknown>,
  data: RawBuilder<unknown> = sql`'{}'::jsonb`,
  joined: RawBuilder<unknown> = sql``,
) =>
  insertEvents(sql`
    select ${NEW_ID}, workspace_id, world, domain_id, ${type}, null, ${message},
           jsonb_build_object('inbox_id', changed.id, 'address', address) || ${data} from changed ${joined}`)

export function findInbox(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
): Promise<InboxRow | undefined> {
  return db
    .selectFrom('inboxes')
    .selectAll()
    .where('id', '=', id)
    .where((is) => is.and(ownedBy(tenant)))
    .where('removed_at', 'is', null)
    .executeTakeFirst()
}

/** The tenant's inboxes among these ids, also removed ones. */
export async function inboxesById(
  { db }: StoreContext,
  tenant: Tenant,
  ids: readonly string[],
): Promise<ReadonlyMap<string, InboxRow>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('inboxes')
    .selectAll()
    .where('id', 'in', [...ids])
    .where((is) => is.and(ownedBy(tenant)))
    .execute()
  return new Map(rows.map((row) => [row.id, row]))
}

export type InboxFilter = {
  page: number
  limit: number
  domainId: string | undefined
  status: string | undefined
  inboxType: string | undefined
  search: string | undefined
}

export async function listInboxes(
  { db }: StoreContext,
  tenant: Tenant,
  filter: InboxFilter,
): Promise<{ rows: InboxRow[]; total: number }> {
  let query = db
    .selectFrom('inboxes')
    .where((is) => is.and(ownedBy(tenant)))
    .where('removed_at', 'is', null)
  if (filter.domainId !== undefined) query = query.where('domain_id', '=', filter.domainId)
  if (filter.status !== undefined) query = query.where(sql`status`, '=', filter.status)
  if (filter.inboxType !== undefined) query = query.where(sql`inbox_type`, '=', filter.inboxType)
  if (filter.search !== undefined)
    query = query.where(sql<boolean>`position(${filter.search.toLowerCase()} in address) > 0`)
  const { count } = await query
    .select((e) => e.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  const rows = await query
    .selectAll()
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit)
    .offset((filter.page - 1) * filter.limit)
    .execute()
  return { rows, total: Number(count) }
}
