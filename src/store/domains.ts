/** Domains as rows: added, found, listed, asked about, removed. */
import { type Selectable, sql } from 'kysely'
import type { ConditionType, DelegationReport, DomainStatus } from '#domains/types.ts'
import { wakeRow } from '#engine/due-rows.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { type Queryable, violates } from './database.ts'
import { touchName } from './served-names.ts'
import type { Tables, WorldName } from './tables.ts'

export type DomainRow = Selectable<Tables['domains']>
export type ConditionRow = Selectable<Tables['conditions']>

/** Who asks: everything below is seen only by its own workspace, in its own world. */
export type Tenant = { workspaceId: string; world: WorldName }

export type NewDomain = {
  name: string
  mayActivate: boolean
  drivers: { zone: string; sender: string; mailbox: string }
}

export type AddResult =
  | { is: 'added'; domainId: string }
  | { is: 'exists' | 'being_removed'; domainId: string }
  | { is: 'too_many_claims' }

/** How many pending claims a name may have, in all workspaces together. */
const PENDING_CLAIMS = 16

/** Adds a domain with its claim, due at once. Of many adding the same name at once, one succeeds. */
export async function addDomain(
  context: StoreContext,
  tenant: Tenant,
  wanted: NewDomain,
): Promise<AddResult> {
  try {
    const result = await context.db.transaction().execute((tx) => insertDomain(tx, tenant, wanted))
    if (result.is === 'added') {
      context.doorbell.ring(TOPICS.domainsDue)
      context.doorbell.ring(TOPICS.servedNames)
    }
    return result
  } catch (error) {
    if (!violates(error, 'domains_one_a_name')) throw error
    const other = await standing(context.db, tenant, wanted.name)
    return other ?? { is: 'being_removed', domainId: '' }
  }
}

async function insertDomain(tx: Queryable, tenant: Tenant, wanted: NewDomain): Promise<AddResult> {
  const other = await standing(tx, tenant, wanted.name)
  if (other) return other
  if ((await pendingClaims(tx, tenant.world, wanted.name)) >= PENDING_CLAIMS)
    return { is: 'too_many_claims' }
  const domainId = newId()
  const { name, mayActivate, drivers } = wanted
  await tx
    .insertInto('domains')
    .values({
      id: domainId,
      workspace_id: tenant.workspaceId,
      world: tenant.world,
      name,
      may_activate: mayActivate,
      zone_driver: drivers.zone,
      sender_driver: drivers.sender,
      mailbox_driver: drivers.mailbox,
    })
    .execute()
  await claimName(tx, tenant, name, domainId)
  await touchName(tx, name)
  await note(
    tx,
    { domainId, workspaceId: tenant.workspaceId },
    { type: 'domain.created', message: `${name} was added.` },
  )
  return { is: 'added', domainId }
}

/** The same workspace gets its pair again until the parent has shown it; afterwards always a new one. */
async function claimName(
  tx: Queryable,
  tenant: Tenant,
  name: string,
  domainId: string,
): Promise<void> {
  const unused = await tx
    .selectFrom('claims as c')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .select('c.id')
    .where('c.workspace_id', '=', tenant.workspaceId)
    .where('c.world', '=', tenant.world)
    .where('c.name', '=', name)
    .where('c.shown_at', 'is', null)
    .where('d.removed_at', 'is not', null)
    .forUpdate()
    .executeTakeFirst()
  if (unused) {
    await tx.deleteFrom('placements').where('claim_id', '=', unused.id).execute()
    await tx
      .updateTable('claims')
      .set({ domain_id: domainId, released_at: null })
      .where('id', '=', unused.id)
      .execute()
    return
  }
  await tx
    .insertInto('claims')
    .values({
      id: newId(),
      domain_id: domainId,
      workspace_id: tenant.workspaceId,
      world: tenant.world,
      name,
    })
    .execute()
}

async function standing(
  tx: Queryable,
  tenant: Tenant,
  name: string,
): Promise<AddResult | undefined> {
  const row = await tx
    .selectFrom('domains')
    .select(['id', 'removal_requested_at'])
    .where('workspace_id', '=', tenant.workspaceId)
    .where('world', '=', tenant.world)
    .where('name', '=', name)
    .where('torn_down_at', 'is', null)
    .where('removed_at', 'is', null)
    .executeTakeFirst()
  return row && { is: row.removal_requested_at ? 'being_removed' : 'exists', domainId: row.id }
}

async function pendingClaims(tx: Queryable, world: WorldName, name: string): Promise<number> {
  const { count } = await tx
    .selectFrom('claims')
    .select((e) => e.fn.countAll<string>().as('count'))
    .where('world', '=', world)
    .where('name', '=', name)
    .where('shown_at', 'is', null)
    .where('released_at', 'is', null)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** A domain of the tenant's that is not being removed. */
export function findDomain(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
): Promise<DomainRow | undefined> {
  return db
    .selectFrom('domains')
    .selectAll()
    .where('id', '=', id)
    .where('workspace_id', '=', tenant.workspaceId)
    .where('world', '=', tenant.world)
    .where('removal_requested_at', 'is', null)
    .executeTakeFirst()
}

/** A domain of the tenant's, removed or not, for as long as its removal is told of. */
export function findRemoval(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
): Promise<DomainRow | undefined> {
  return db
    .selectFrom('domains')
    .selectAll()
    .where('id', '=', id)
    .where('workspace_id', '=', tenant.workspaceId)
    .where('world', '=', tenant.world)
    .where('removal_requested_at', 'is not', null)
    .where((is) =>
      is.or([
        is('removed_at', 'is', null),
        is('removed_at', '>', new Date(Date.now() - 30 * 86_400_000)),
      ]),
    )
    .executeTakeFirst()
}

export type DomainFilter = {
  page: number
  limit: number
  status: string | undefined
  search: string | undefined
}

export async function listDomains(
  { db }: StoreContext,
  tenant: Tenant,
  filter: DomainFilter,
): Promise<{ rows: DomainRow[]; total: number }> {
  let query = db
    .selectFrom('domains')
    .where('workspace_id', '=', tenant.workspaceId)
    .where('world', '=', tenant.world)
    .where('removal_requested_at', 'is', null)
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  if (filter.search !== undefined)
    query = query.where(sql<boolean>`position(${filter.search.toLowerCase()} in name) > 0`)
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

export async function conditionsOf(
  { db }: StoreContext,
  domainIds: readonly string[],
): Promise<Map<string, ConditionRow[]>> {
  const rows =
    domainIds.length === 0
      ? []
      : await db
          .selectFrom('conditions')
          .selectAll()
          .where('domain_id', 'in', [...domainIds])
          .execute()
  return Map.groupBy(rows, ({ domain_id }) => domain_id)
}

export async function inboxCounts(
  { db }: StoreContext,
  domainIds: readonly string[],
): Promise<Map<string, number>> {
  if (domainIds.length === 0) return new Map()
  const rows = await db
    .selectFrom('inboxes')
    .select((e) => ['domain_id', e.fn.countAll<string>().as('count')])
    .where('domain_id', 'in', [...domainIds])
    .where('removed_at', 'is', null)
    .groupBy('domain_id')
    .execute()
  return new Map(rows.map(({ domain_id, count }) => [domain_id, Number(count)]))
}

export async function nameserversOf({ db }: StoreContext, domainId: string): Promise<string[]> {
  const claim = await db
    .selectFrom('claims')
    .select('nameservers')
    .where('domain_id', '=', domainId)
    .executeTakeFirst()
  return claim?.nameservers ?? []
}

/** Somebody asks: look now, start the cadence anew, and let the mail services be started. */
export async function askAbout(context: StoreContext, domainId: string): Promise<void> {
  await context.db.transaction().execute(async (tx) => {
    await tx
      .updateTable('domains')
      .set({ asked_at: sql`now()`, may_activate: true })
      .where('id', '=', domainId)
      .execute()
    await wakeRow(tx, 'domains', domainId)
  })
  context.doorbell.ring(TOPICS.domainsDue)
}

/** The retry of a failed domain: its failed stages wait again, and only they. */
export async function retryDomain(context: StoreContext, domain: DomainRow): Promise<void> {
  await context.db.transaction().execute(async (tx) => {
    await tx
      .updateTable('conditions')
      .set({
        verdict: 'waiting',
        reason: 'retried',
        message: 'Being tried again.',
        since: sql`now()`,
        waited_ms: '0',
        last_look_error: null,
      })
      .where('domain_id', '=', domain.id)
      .where('verdict', '=', 'failed')
      .execute()
    await tx.updateTable('domains').set({ failures: 0 }).where('id', '=', domain.id).execute()
    await note(
      tx,
      { domainId: domain.id, workspaceId: domain.workspace_id },
      { type: 'domain.retried', message: 'A retry was asked for.' },
    )
  })
  await askAbout(context, domain.id)
}

/** Wakes domains because a query for their names reached us; at most every two seconds each. */
export async function wakeForQuery(
  { db, doorbell }: StoreContext,
  domainIds: readonly string[],
): Promise<void> {
  for (const id of domainIds) await wakeRow(db, 'domains', id)
  doorbell.ring(TOPICS.domainsDue)
}

export type Blocker = { type: 'campaign'; id: string; name: string; status: string }

/** The active campaigns that use one of the domain's inboxes. */
export async function blockersOf(db: Queryable, domainId: string): Promise<Blocker[]> {
  const rows = await db
    .selectFrom('campaigns as c')
    .innerJoin('campaign_inboxes as ci', 'ci.campaign_id', 'c.id')
    .innerJoin('inboxes as i', 'i.id', 'ci.inbox_id')
    .select(['c.id', 'c.name', 'c.status'])
    .distinct()
    .where('i.domain_id', '=', domainId)
    .where('c.status', '=', 'ACTIVE')
    .execute()
  return rows.map((row) => ({ type: 'campaign', ...row }))
}

/** Takes the domain out of every list and stops its sending, unless something depends on it. */
export async function requestRemoval(
  context: StoreContext,
  domain: DomainRow,
): Promise<{ blockers: Blocker[] } | 'requested' | 'gone'> {
  const result = await context.db.transaction().execute(async (tx) => {
    const held = await tx
      .selectFrom('domains')
      .select('id')
      .where('id', '=', domain.id)
      .where('removal_requested_at', 'is', null)
      .forUpdate()
      .executeTakeFirst()
    if (!held) return 'gone' as const
    const blockers = await blockersOf(tx, domain.id)
    if (blockers.length > 0) return { blockers }
    await tx
      .updateTable('domains')
      .set({ removal_requested_at: sql`now()` })
      .where('id', '=', domain.id)
      .execute()
    await tx
      .updateTable('inboxes')
      .set({ removed_at: sql`now()` })
      .where('domain_id', '=', domain.id)
      .where('removed_at', 'is', null)
      .execute()
    await wakeRow(tx, 'domains', domain.id)
    await touchName(tx, domain.name)
    await note(
      tx,
      { domainId: domain.id, workspaceId: domain.workspace_id },
      { type: 'domain.deleted', message: `${domain.name} is being removed.` },
    )
    return 'requested' as const
  })
  context.doorbell.ring(TOPICS.domainsDue)
  context.doorbell.ring(TOPICS.servedNames)
  return result
}

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

export type { DelegationReport, DomainStatus }
