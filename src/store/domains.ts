/** Domains as rows: find, list, wake. */
import { CompiledQuery, type Selectable, type SelectQueryBuilder, sql } from 'kysely'
import type { ClaimRef } from '#drivers/zone/contract.ts'
import { type ConditionRow, conditionsInJson, withDates } from './conditions.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { CustomerRecordRow } from './customer-records.ts'
import type { Database, Queryable } from './database.ts'
import { wakeDomain } from './due-tables.ts'
import { insertDomainEvent } from './events.ts'
import type { Tables, WorldName } from './tables.ts'

export type DomainRow = Selectable<Tables['domains']>

/** The caller, who sees only rows of its own workspace and world. */
export type Tenant = { workspaceId: string; world: WorldName }

/** The columns that every row of a tenant carries. */
export const ownedBy = ({ workspaceId, world }: Tenant) => ({ workspace_id: workspaceId, world })

/** A domain of the tenant's that is not being removed. */
export function findDomain(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
): Promise<DomainRow | undefined> {
  return domainsOf(db, tenant, id).where('removal_requested_at', 'is', null).executeTakeFirst()
}

/** The domain of the tenant's with this id, removed or not. */
export const domainsOf = (db: Queryable, tenant: Tenant, id: string) =>
  db
    .selectFrom('domains')
    .selectAll()
    .where('id', '=', id)
    .where((is) => is.and(ownedBy(tenant)))

/** The same with its conditions, in one query. */
export async function findWithConditions(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
): Promise<{ row: DomainRow; conditions: readonly ConditionRow[] } | undefined> {
  const found = await db
    .selectFrom('domains as d')
    .selectAll('d')
    .select(conditionsInJson)
    .where('d.id', '=', id)
    .where((is) => is.and(ownedBy(tenant)))
    .where('d.removal_requested_at', 'is', null)
    .executeTakeFirst()
  if (!found) return undefined
  const { conditions, ...row } = found
  return { row, conditions: conditions.map(withDates) }
}

export type DomainFilter = {
  page: number
  limit: number
  status: string | undefined
  search: string | undefined
  /** Only what comes after this domain in the list; `page` then counts from there. */
  after: string | undefined
}

/** The columns shown in a list. */
export type ListedDomain = Pick<DomainRow, (typeof LISTED)[number]>

// biome-ignore format: a list
const LISTED = [
  'id', 'name', 'status', 'max_inboxes', 'created_at', 'activated_at', 'looked_at', 'next_look_at',
] as const

export async function listDomains(
  { db }: StoreContext,
  tenant: Tenant,
  filter: DomainFilter,
): Promise<DomainPage> {
  const matching = matchingDomains(db, tenant, filter)
  const { after } = filter
  const page = matching
    .$if(after !== undefined, (query) => query.where(isAfter(tenant, after!)))
    .select(LISTED)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit + 1)
    .offset((filter.page - 1) * filter.limit)
  const [rows, counted] = await Promise.all([page.execute(), countOf(db, matching.select('id'))])
  return { rows: rows.slice(0, filter.limit), hasMore: rows.length > filter.limit, ...counted }
}

export type DomainPage = {
  rows: readonly ListedDomain[]
  /** Whether more pages follow. */
  hasMore: boolean
  /** Of all pages; above 10,000 an estimate. */
  total: number
  isEstimate: boolean
}

/** Counting further would cost more than the answer is worth. */
const COUNTED = 10_000

async function countOf(db: Database, query: SelectQueryBuilder<Tables, 'domains', { id: string }>) {
  const { count } = await db
    .selectFrom(query.limit(COUNTED + 1).as('counted'))
    .select((e) => e.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  const isEstimate = Number(count) > COUNTED
  return { total: isEstimate ? await estimated(db, query) : Number(count), isEstimate }
}

function matchingDomains(db: Database, tenant: Tenant, { status, search }: DomainFilter) {
  let query = db
    .selectFrom('domains')
    .where((is) => is.and(ownedBy(tenant)))
    .where('removal_requested_at', 'is', null)
  if (status !== undefined) query = query.where(sql`status`, '=', status)
  if (search !== undefined) query = query.where('name', 'like', `%${literal(search)}%`)
  return query
}

/** Escapes the wildcards of LIKE. */
const literal = (text: string): string => text.toLowerCase().replace(/[\\%_]/g, '\\$&')

/** No row comes after an id that is unknown or not the tenant's. */
const isAfter = ({ workspaceId, world }: Tenant, id: string) => sql<boolean>`
  (created_at, id) < (select created_at, id from domains
    where id = ${id} and workspace_id = ${workspaceId} and world = ${world})`

/** The planner's estimate, but never below what was counted. */
async function estimated(db: Database, query: { compile(): CompiledQuery }): Promise<number> {
  const { sql: text, parameters } = query.compile()
  const explained = await db.executeQuery<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>(
    CompiledQuery.raw(`explain (format json) ${text}`, [...parameters]),
  )
  const rows = explained.rows[0]?.['QUERY PLAN'][0].Plan['Plan Rows'] ?? 0
  return Math.max(COUNTED + 1, Math.round(rows))
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
  return new Map(rows.map(({ domain_id, count }) => [domain_id!, Number(count)]))
}

/** Everything else shown of a domain, in one query. */
export async function relatedRowsOf({ db }: StoreContext, domainId: string): Promise<RelatedRows> {
  const { rows } = await sql<RelatedRows>`
    select case when d.import_state = 'wanted' then '{}' else c.nameservers end as nameservers,
           (select count(*)::int from inboxes i
             where i.domain_id = c.domain_id and i.removed_at is null) as inboxes,
           coalesce((select jsonb_agg(r order by r.id) from records r
                      where r.domain_id = c.domain_id), '[]') as records,
           coalesce((select jsonb_agg(o order by o.id) from customer_records o
                      where o.domain_id = c.domain_id and o.origin = 'imported'
                        and o.removed_at is null), '[]') as imported
      from claims c join domains d on d.id = c.domain_id
     where c.domain_id = ${domainId}`.execute(db)
  const { nameservers = [], inboxes = 0, records = [], imported = [] } = rows[0] ?? {}
  return { nameservers, inboxes, records: records.map(checkedAt), imported }
}

export type RelatedRows = {
  nameservers: readonly string[]
  inboxes: number
  records: readonly RecordRow[]
  imported: readonly CustomerRecordRow[]
}

/** In JSON, times are texts. */
const checkedAt = (row: RecordRow): RecordRow => ({
  ...row,
  last_checked_at: row.last_checked_at && new Date(row.last_checked_at),
})

/**
 * The pair as shown: none before the import is done, because setting it then would lose what the name serves
 * elsewhere.
 */
export async function nameserversOf({ db }: StoreContext, domainId: string): Promise<string[]> {
  const claim = await db
    .selectFrom('claims as c')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .select('c.nameservers')
    .where('c.domain_id', '=', domainId)
    .where('d.import_state', '<>', 'wanted')
    .executeTakeFirst()
  return claim?.nameservers ?? []
}

export type RecordRow = Selectable<Tables['records']>

/** Our records, in the order they were made. */
export function recordsOf(db: Queryable, domainId: string): Promise<RecordRow[]> {
  return db
    .selectFrom('records')
    .selectAll()
    .where('domain_id', '=', domainId)
    .orderBy('id')
    .execute()
}

/** The domain's claim, as drivers know it. */
export async function claimOf({ db }: StoreContext, domain: DomainRow): Promise<ClaimRef> {
  const claim = await db
    .selectFrom('claims')
    .select(['id', 'nameservers'])
    .where('domain_id', '=', domain.id)
    .executeTakeFirstOrThrow()
  return { claimId: claim.id, name: domain.name, nameservers: claim.nameservers }
}

/**
 * A requested look: due now, with a new cadence, and the mail services may start. Returns the epoch of the
 * latest taking: only a later one answers this request.
 */
export async function requestLook(
  context: StoreContext,
  domainId: string,
  { activates = false } = {},
): Promise<bigint> {
  const epoch = await context.db.transaction().execute(async (tx) => {
    const asked = await tx
      .updateTable('domains')
      .set({ asked_at: sql`now()`, ...(activates ? { may_activate: true } : {}) })
      .where('id', '=', domainId)
      .returning('epoch')
      .executeTakeFirst()
    await wakeDomain(tx, domainId)
    return asked?.epoch ?? '0'
  })
  context.doorbell.ring(TOPICS.domainsDue)
  return BigInt(epoch)
}

/** Lets the next plan drop many rrsets, once. */
export async function acceptDrops(
  context: StoreContext,
  id: string,
  tenant: Tenant,
): Promise<void> {
  const { numUpdatedRows } = await context.db
    .updateTable('domains')
    .set({ accepts_drops: true })
    .where('id', '=', id)
    .where((is) => is.and(ownedBy(tenant)))
    .executeTakeFirst()
  if (numUpdatedRows > 0n) await lookNow(context, id)
}

/** Makes the domain due now. Returns the epoch of the latest taking. */
export async function lookNow(context: StoreContext, domainId: string): Promise<bigint> {
  const row = await context.db
    .selectFrom('domains')
    .select('epoch')
    .where('id', '=', domainId)
    .executeTakeFirst()
  await wakeDomain(context.db, domainId)
  context.doorbell.ring(TOPICS.domainsDue)
  return BigInt(row?.epoch ?? '0')
}

/** Whether a pass after this epoch has begun and ended. */
export const hasBeenLookedAt = ({ epoch, lease_until }: DomainRow, askedAtEpoch: bigint): boolean =>
  BigInt(epoch) > askedAtEpoch && !(lease_until > new Date())

/**
 * Retries a failed domain: only its failed stages wait again. Fences off a running pass, which knows them as
 * failed. Returns the epoch of the latest taking.
 */
export async function retryDomain(context: StoreContext, domain: DomainRow): Promise<bigint> {
  const { id } = domain
  await context.db.transaction().execute(async (tx) => {
    await tx.selectFrom('domains').select('id').where('id', '=', id).forNoKeyUpdate().execute()
    const { numUpdatedRows } = await tx
      .updateTable('conditions')
      .set({
        verdict: 'waiting',
        reason: 'retried',
        message: 'Being tried again.',
        since: sql`now()`,
        waited_ms: '0',
        // The waiting begins with the look after the retry.
        last_look_at: null,
        last_look_error: null,
      })
      .where('domain_id', '=', id)
      .where('verdict', '=', 'failed')
      .executeTakeFirst()
    const taking = {
      epoch: sql<string>`epoch + 1`,
      lease_until: sql<Date>`'-infinity'`,
      failed_at: sql<Date>`case when activated_at is not null then failed_at end`,
    }
    await tx
      .updateTable('domains')
      .set({ failures: 0, ...(numUpdatedRows > 0n ? taking : {}) })
      .where('id', '=', id)
      .execute()
    await insertDomainEvent(tx, id, { type: 'domain.retried', message: 'A retry was asked for.' })
  })
  return requestLook(context, id, { activates: true })
}

/** Wakes domains because a query for their names reached us; at most every two seconds each. */
export async function wakeForQuery(
  { db, doorbell }: StoreContext,
  domainIds: readonly string[],
): Promise<void> {
  for (const id of domainIds) await wakeDomain(db, id)
  doorbell.ring(TOPICS.domainsDue)
}
