/** Adds a domain: its row, its claim on the name, and its first event. */
import { sql } from 'kysely'
import { type ClaimCounts, type ClaimLimits, obstacleToAdding } from '#domains/claims.ts'
import { newId } from '../ids.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { type Queryable, violates } from './database.ts'
import { type DomainRow, ownedBy, type Tenant } from './domains.ts'
import { insertDomainEvents } from './events.ts'
import { ON_CONFLICT_TOUCH } from './served-names.ts'

export type NewDomain = {
  name: string
  mayActivate: boolean
  importRecords: boolean
  takeMail: boolean
  drivers: { zone: string; sender: string; mailbox: string }
  limits: ClaimLimits
}

export type AddResult =
  | { is: 'added'; domain: DomainRow }
  | { is: 'exists' | 'being_removed'; domainId: string }
  | { is: 'too_many_claims' | 'too_many_adds' }

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
    if (!other) throw error
    return other
  }
}

async function insertDomain(tx: Queryable, tenant: Tenant, wanted: NewDomain): Promise<AddResult> {
  await lockName(tx, tenant, wanted.name)
  const other = await standing(tx, tenant, wanted.name)
  if (other) return other
  const obstacle = obstacleToAdding(await countsOf(tx, tenant, wanted.name), wanted.limits)
  if (obstacle) return { is: obstacle }
  const unused = await unusedClaim(tx, tenant, wanted)
  return { is: 'added', domain: await insertRows(tx, tenant, wanted, unused) }
}

/** The domain, its claim, its first event and its name among those served, in one statement. */
async function insertRows(
  tx: Queryable,
  { workspaceId, world }: Tenant,
  { name, mayActivate, importRecords, takeMail, drivers }: NewDomain,
  unused: string | undefined,
): Promise<DomainRow> {
  const claim =
    unused === undefined
      ? sql`
        insert into claims (id, domain_id, workspace_id, world, name)
        select ${newId()}::uuid, id, workspace_id, world, name from domain`
      : sql`
        update claims c set domain_id = domain.id, released_at = null from domain where c.id = ${unused}`
  const created = { type: 'domain.created', message: `${name} was added.` } as const
  const { rows } = await sql<DomainRow>`
    with domain as (
      insert into domains (id, workspace_id, world, name, may_activate, import_state, take_mail, zone_driver,
                           sender_driver, mailbox_driver)
      values (${newId()}, ${workspaceId}, ${world}, ${name}, ${mayActivate},
              ${importRecords ? 'wanted' : 'none'}, ${takeMail}, ${drivers.zone}, ${drivers.sender},
              ${drivers.mailbox})
      returning *
    ), claim as (${claim}), events as (${insertDomainEvents(sql`domain`, [created])}), touched as (
      insert into served_names (name) select name from domain ${ON_CONFLICT_TOUCH})
    select * from domain`.execute(tx)
  return rows[0]!
}

/** Serialises adds of one name, because the limits are counted. */
async function lockName(tx: Queryable, { world }: Tenant, name: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`${world} ${name}`}, 0))`.execute(tx)
}

/**
 * A claim that the workspace had on the name before: it gets its pair again until the parent has shown it, and
 * afterwards always a new one.
 */
async function unusedClaim(
  tx: Queryable,
  { workspaceId, world }: Tenant,
  { name, drivers }: NewDomain,
): Promise<string | undefined> {
  const unused = await tx
    .selectFrom('claims as c')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .select('c.id')
    .where('c.workspace_id', '=', workspaceId)
    .where('c.world', '=', world)
    .where('c.name', '=', name)
    .where('c.shown_at', 'is', null)
    .where('d.removed_at', 'is not', null)
    // A pair of one zone host proves nothing at another.
    .where('d.zone_driver', '=', drivers.zone)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (unused) await tx.deleteFrom('placements').where('claim_id', '=', unused.id).execute()
  return unused?.id
}

async function standing(
  tx: Queryable,
  tenant: Tenant,
  name: string,
): Promise<AddResult | undefined> {
  const row = await tx
    .selectFrom('domains')
    .select(['id', 'removal_requested_at'])
    .where((is) => is.and(ownedBy(tenant)))
    .where('name', '=', name)
    .where('torn_down_at', 'is', null)
    .where('removed_at', 'is', null)
    .executeTakeFirst()
  return row && { is: row.removal_requested_at ? 'being_removed' : 'exists', domainId: row.id }
}

/** An owner sets the nameservers sooner than that. */
const CLAIM_COUNTS_DAYS = 7

/**
 * What the limits count: the workspace's adds of the name this hour, and all claims on it that wait for their
 * delegation. Claims that failed, or are older than a week, do not count: others who claim a name without
 * owning it would keep its owner out for ever.
 */
async function countsOf(
  tx: Queryable,
  { workspaceId, world }: Tenant,
  name: string,
): Promise<ClaimCounts> {
  const { rows } = await sql<{ adds: string; claims: string }>`
    select (select count(*) from domains
             where workspace_id = ${workspaceId} and world = ${world} and name = ${name}
               and created_at > now() - interval '1 hour') as adds,
           (select count(*) from claims c join domains d on d.id = c.domain_id
             where c.world = ${world} and c.name = ${name}
               and c.shown_at is null and c.released_at is null and d.status <> 'FAILED'
               and d.created_at > now() - ${CLAIM_COUNTS_DAYS} * interval '1 day') as claims`.execute(
    tx,
  )
  return { recentAdds: Number(rows[0]!.adds), pendingClaims: Number(rows[0]!.claims) }
}
