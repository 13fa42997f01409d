/** Redirects as rows: their targets, and the names that they answer for. */
import { type Selectable, sql } from 'kysely'
import type { RedirectStore } from '#domains/ports.ts'
import { type ChainHost, chainFault, REDIRECTS_IN_A_ROW } from '#domains/redirect-chain.ts'
import type { NewEvent } from '#events/catalogue.ts'
import { absolute } from '#names/domain-name.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { Database, Queryable } from './database.ts'
import type { DomainRow } from './domains.ts'
import { wakeDomain } from './due-tables.ts'
import { insertDomainEvent } from './events.ts'
import { touchName } from './served-names.ts'
import type { Tables } from './tables.ts'

export type RedirectRow = Selectable<Tables['redirects']>

/** `isServed`: its domain holds the name. `isSetUp`: public DNS shows its records. */
export type KnownRedirect = { row: RedirectRow; isServed: boolean; isSetUp: boolean }

export type RedirectSettings = Pick<
  RedirectRow,
  'target_domain' | 'status_code' | 'preserve_path' | 'preserve_query_string'
>

export async function findRedirect(
  { db }: StoreContext,
  domain: DomainRow,
): Promise<KnownRedirect | undefined> {
  const row = await db
    .selectFrom('redirects')
    .selectAll()
    .where('domain_id', '=', domain.id)
    .executeTakeFirst()
  if (!row) return undefined
  const held = await db
    .selectFrom('holders as h')
    .innerJoin('claims as c', 'c.id', 'h.claim_id')
    .select('h.name')
    .where('c.domain_id', '=', domain.id)
    .executeTakeFirst()
  const records = await db
    .selectFrom('records')
    .select(['name', 'status'])
    .where('domain_id', '=', domain.id)
    .where('purpose', '=', 'redirect')
    .execute()
  const isAtApex = records.some(({ name }) => name === absolute(domain.name))
  const isSetUp = isAtApex && records.every(({ status }) => status === 'published')
  return { row, isServed: held !== undefined, isSetUp }
}

export type PutRedirect = 'put' | 'domain_gone' | 'loop' | 'too_long'

/** Creates or changes the domain's redirect, unless it would form a loop. */
export async function putRedirect(
  context: StoreContext,
  domain: DomainRow,
  wanted: RedirectSettings,
): Promise<PutRedirect> {
  const result = await context.db.transaction().execute(async (tx): Promise<PutRedirect> => {
    if (!(await holdDomain(tx, domain.id))) return 'domain_gone'
    const wrong = await wrongWith(tx, domain, wanted.target_domain)
    if (wrong) return wrong
    await upsert(tx, domain, wanted)
    const message = `Redirected to ${wanted.target_domain}.`
    await recordChange(tx, domain, { type: 'redirect.set', message })
    return 'put'
  })
  if (result === 'put') ring(context)
  return result
}

/** Deletes the redirect; the next pass removes its records. False when there was none. */
export async function removeRedirect(context: StoreContext, domain: DomainRow): Promise<boolean> {
  const isRemoved = await context.db.transaction().execute(async (tx) => {
    const { numDeletedRows } = await tx
      .deleteFrom('redirects')
      .where('domain_id', '=', domain.id)
      .executeTakeFirst()
    if (numDeletedRows === 0n) return false
    const message = 'The redirect was deleted.'
    await recordChange(tx, domain, { type: 'redirect.deleted', message })
    return true
  })
  if (isRemoved) ring(context)
  return isRemoved
}

function holdDomain(tx: Queryable, id: string): Promise<{ id: string } | undefined> {
  return tx
    .selectFrom('domains')
    .select('id')
    .where('id', '=', id)
    .where('removal_requested_at', 'is', null)
    .forNoKeyUpdate()
    .executeTakeFirst()
}

async function upsert(tx: Queryable, domain: DomainRow, wanted: RedirectSettings): Promise<void> {
  const { id, workspace_id, world } = domain
  await tx
    .insertInto('redirects')
    .values({ id: newId(), workspace_id, world, domain_id: id, ...wanted })
    .onConflict((c) => c.column('domain_id').doUpdateSet({ ...wanted, changed_at: sql`now()` }))
    .execute()
}

async function recordChange(
  tx: Queryable,
  { id, name }: DomainRow,
  event: NewEvent,
): Promise<void> {
  await wakeDomain(tx, id)
  await touchName(tx, name)
  await insertDomainEvent(tx, id, event)
}

function ring({ doorbell }: StoreContext): void {
  doorbell.ring(TOPICS.servedNames)
  doorbell.ring(TOPICS.domainsDue)
}

/**
 * Whether the redirects that begin at `target` lead to the domain. Those of claims that do not hold
 * their name count too, for they may come to hold it. One check at a time: two redirects that are
 * made at once would not see each other.
 */
async function wrongWith(
  tx: Queryable,
  { name, world }: DomainRow,
  target: string,
): Promise<'loop' | 'too_long' | undefined> {
  await sql`select set_config('lock_timeout', '5s', true)`.execute(tx)
  await sql`select pg_advisory_xact_lock(hashtextextended('redirects', 0))`.execute(tx)
  const { rows } = await sql<ChainHost>`
    with recursive way (host, passed) as (
      select ${target}::text, 0
      union
      select r.target_domain, w.passed + 1
        from way w
        join domains d on d.name in (w.host, regexp_replace(w.host, '^www\\.', ''))
         and d.world = ${world} and d.removal_requested_at is null
        join redirects r on r.domain_id = d.id
       where w.passed < ${REDIRECTS_IN_A_ROW} and w.host not in (${name}, ${`www.${name}`}))
    select host, max(passed) as passed from way group by host`.execute(tx)
  return chainFault(name, rows)
}

const REFUSED = 'redirect.refused'

/** Redirects, for one pass. `addresses` are those of our redirect servers, if any. */
export function redirectStore({ db }: StoreContext, addresses: readonly string[]): RedirectStore {
  return {
    addresses,
    async wanted({ id }) {
      const row = await db
        .selectFrom('redirects')
        .selectAll()
        .where('domain_id', '=', id)
        .executeTakeFirst()
      return row && { ...redirectOf(row), changedAt: row.changed_at }
    },
    async refused({ id }, message) {
      const latest = await db
        .selectFrom('events')
        .select(['type', 'message'])
        .where('domain_id', '=', id)
        .where(sql<string>`type`, 'like', 'redirect.%')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst()
      if (latest?.type === REFUSED && latest.message === message) return
      await insertDomainEvent(db, id, { type: REFUSED, message })
    },
  }
}

/** A redirect as the redirect server needs it. */
export const redirectOf = (row: RedirectSettings) => ({
  targetDomain: row.target_domain,
  statusCode: row.status_code,
  preservePath: row.preserve_path,
  preserveQueryString: row.preserve_query_string,
})

/** A name and its redirect; undefined when it has none. */
export type RedirectedName = { name: string; redirect: RedirectSettings | undefined }

/** The redirects of the holders of these names. For a name in both worlds, the live one. */
export async function readRedirects(
  db: Database,
  names: readonly string[],
): Promise<RedirectedName[]> {
  // Looked up one by one, as zones are.
  const { rows } = await sql<RedirectSettings & { name: string }>`
    select d.name, r.target_domain, r.status_code, r.preserve_path, r.preserve_query_string
      from unnest(${[...names]}::text[]) asked (name)
      cross join lateral (select * from domains where name = asked.name offset 0) d
      cross join lateral (select * from redirects where domain_id = d.id offset 0) r
      cross join lateral (select id from claims where domain_id = d.id offset 0) c
      cross join lateral (select from holders where claim_id = c.id offset 0) h
     where d.removal_requested_at is null
     order by d.world desc`.execute(db)
  const byName = new Map(rows.map((row) => [row.name, row]))
  return names.map((name) => ({ name, redirect: byName.get(name) }))
}
