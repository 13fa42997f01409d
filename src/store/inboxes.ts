/** Inboxes as rows: a mailbox and the right to send, at one address. */
import { type RawBuilder, type Selectable, sql } from 'kysely'
import type { InboxStore } from '#domains/ports.ts'
import type { EventType } from '#events/catalogue.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { type Queryable, violates } from './database.ts'
import { type DomainRow, ownedBy, type Tenant } from './domains.ts'
import { wakeDomain } from './due-tables.ts'
import { insertDomainEvent, insertEvents, NEW_ID } from './events.ts'
import type { Tables } from './tables.ts'

export type InboxRow = Selectable<Tables['inboxes']>

export type ReserveResult =
  | { is: 'reserved'; inbox: InboxRow }
  | { is: 'exists' }
  | { is: 'full'; current: number; max: number }
  | { is: 'domain_gone' }

/** Reserves an address within the domain's capacity, and wakes the domain to make it. */
export async function reserveInbox(
  { db, doorbell }: StoreContext,
  domain: DomainRow,
  wanted: { localpart: string; displayName: string },
): Promise<ReserveResult> {
  try {
    const result = await db.transaction().execute((tx) => reserve(tx, domain, wanted))
    if (result.is === 'reserved') doorbell.ring(TOPICS.domainsDue)
    return result
  } catch (error) {
    if (violates(error, 'inboxes_one_an_address')) return { is: 'exists' }
    throw error
  }
}

/**
 * Holds the domain's row, but not its key: a pass that makes inboxes ready holds their rows, and needs the key of the
 * domain for its events.
 */
async function reserve(
  tx: Queryable,
  domain: DomainRow,
  wanted: { localpart: string; displayName: string },
): Promise<ReserveResult> {
  const held = await tx
    .selectFrom('domains')
    .select('max_inboxes')
    .where('id', '=', domain.id)
    .where('removal_requested_at', 'is', null)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (!held) return { is: 'domain_gone' }
  const { count } = await tx
    .selectFrom('inboxes')
    .select((e) => e.fn.countAll<string>().as('count'))
    .where('domain_id', '=', domain.id)
    .where('removed_at', 'is', null)
    .executeTakeFirstOrThrow()
  if (Number(count) >= held.max_inboxes)
    return { is: 'full', current: Number(count), max: held.max_inboxes }
  const inbox = await tx
    .insertInto('inboxes')
    .values({
      id: newId(),
      workspace_id: domain.workspace_id,
      world: domain.world,
      domain_id: domain.id,
      localpart: wanted.localpart,
      address: `${wanted.localpart}@${domain.name}`,
      display_name: wanted.displayName,
      status: 'PENDING',
      removed_at: null,
    })
    .returningAll()
    .executeTakeFirstOrThrow()
  const message = `The inbox ${inbox.address} was added.`
  const data = { inbox_id: inbox.id, address: inbox.address }
  await insertDomainEvent(tx, domain.id, { type: 'inbox.created', message, data })
  await wakeDomain(tx, domain.id)
  return { is: 'reserved', inbox }
}

/** A domain's inboxes, for one pass. */
export function inboxStore({ db }: StoreContext): InboxStore {
  return {
    async wanted({ id }) {
      const rows = await db
        .selectFrom('inboxes')
        .select(['localpart', 'display_name'])
        .where('domain_id', '=', id)
        .where('removed_at', 'is', null)
        .execute()
      return rows.map((row) => ({ localpart: row.localpart, displayName: row.display_name }))
    },
    async ready({ id }, localparts) {
      if (localparts.length === 0) return
      await sql`
        with changed as (
          update inboxes set status = 'ACTIVE', problem = null
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

/** Inserts an event for each inbox in the CTE `changed`. */
export const insertInboxEvents = (
  type: EventType,
  message: RawBuilder<unknown>,
  data: RawBuilder<unknown> = sql`'{}'::jsonb`,
) =>
  insertEvents(sql`
    select ${NEW_ID}, workspace_id, world, domain_id, ${type}, null, ${message},
           jsonb_build_object('inbox_id', id, 'address', address) || ${data} from changed`)

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
