/** Removes a domain: from every list at once, from providers in the background. */
import { sql } from 'kysely'
import type { Placement } from '#domains/removal-plan.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { domainsWithCutFor, removeCut } from './cuts.ts'
import type { Queryable } from './database.ts'
import { type DomainRow, domainsOf, type Tenant } from './domains.ts'
import { wakeDomain } from './due-tables.ts'
import { insertDomainEvent } from './events.ts'
import { insertInboxEvents } from './inboxes.ts'
import { touchName } from './served-names.ts'

/** A domain of the tenant whose removal is under way, or ended in the last 30 days. */
export function findRemoval(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
): Promise<DomainRow | undefined> {
  return domainsOf(db, tenant, id)
    .where('removal_requested_at', 'is not', null)
    .where((is) =>
      is.or([
        is('removed_at', 'is', null),
        is('removed_at', '>', new Date(Date.now() - 30 * 86_400_000)),
      ]),
    )
    .executeTakeFirst()
}

/** A domain of the tenant's, whether it was removed or not. */
export function findDomainOrRemoved(
  { db }: StoreContext,
  tenant: Tenant,
  id: string,
): Promise<DomainRow | undefined> {
  return domainsOf(db, tenant, id).executeTakeFirst()
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

/** The placements of a domain, also removed ones: latest first, the order of removal. */
export async function placementsOf({ db }: StoreContext, domainId: string): Promise<Placement[]> {
  const rows = await db
    .selectFrom('placements as p')
    .innerJoin('claims as c', 'c.id', 'p.claim_id')
    .leftJoin('conditions as d', (join) =>
      join.onRef('d.domain_id', '=', 'c.domain_id').onRef('d.type', '=', 'p.stage'),
    )
    .select(['p.stage', 'p.driver', 'p.removed_at', 'p.abandoned_at'])
    .select('d.last_look_error as trouble')
    .where('c.domain_id', '=', domainId)
    .orderBy('p.made_at', 'desc')
    .execute()
  return rows.map(({ stage, driver, removed_at, abandoned_at, trouble }) => ({
    stage,
    driver,
    removedAt: removed_at ?? undefined,
    abandonedAt: abandoned_at ?? undefined,
    trouble: trouble ?? undefined,
  }))
}

/** A removal stage given up at an outside service, where something may be left. */
export type Orphan = { domain: string; claim: string; stage: string; account: string; at: Date }

/**
 * Gives up the removal stages that wait for outside services: these are gone, or refuse us. Undefined when no
 * such removal is under way.
 */
export async function abandonRemoval(
  context: StoreContext,
  domainId: string,
): Promise<Orphan[] | undefined> {
  const abandoned = await context.db.transaction().execute(async (tx) => {
    const domain = await tx
      .selectFrom('domains')
      .select(['id', 'name', 'workspace_id'])
      .where('id', '=', domainId)
      .where('removal_requested_at', 'is not', null)
      .where('removed_at', 'is', null)
      .forNoKeyUpdate()
      .executeTakeFirst()
    if (!domain) return undefined
    const given = await tx
      .updateTable('placements')
      .set({ removed_at: sql`now()`, abandoned_at: sql`now()` })
      .where('removed_at', 'is', null)
      .where('driver', '<>', 'embedded')
      .where('claim_id', 'in', (of) =>
        of.selectFrom('claims').select('id').where('domain_id', '=', domainId),
      )
      .returning(['stage', 'driver'])
      .execute()
    for (const { stage, driver } of given) {
      const message = `Given up at ${driver}: ${stage}. Something may be left there.`
      await insertDomainEvent(tx, domainId, { type: 'stage.abandoned', message })
    }
    await wakeDomain(tx, domainId)
    return given.length
  })
  context.doorbell.ring(TOPICS.domainsDue)
  return abandoned === undefined ? undefined : orphansOf(context, domainId)
}

/** All given-up stages, of one domain or of all, latest first. */
export async function orphansOf({ db }: StoreContext, domainId?: string): Promise<Orphan[]> {
  const rows = await db
    .selectFrom('placements as p')
    .innerJoin('claims as c', 'c.id', 'p.claim_id')
    .select(['c.name', 'c.id', 'p.stage', 'p.driver', 'p.abandoned_at'])
    .where('p.abandoned_at', 'is not', null)
    .$if(domainId !== undefined, (query) => query.where('c.domain_id', '=', domainId!))
    .orderBy('p.abandoned_at', 'desc')
    .limit(ORPHANS)
    .execute()
  return rows.map(({ name, id, stage, driver, abandoned_at }) => {
    return { domain: name, claim: id, stage, account: driver, at: abandoned_at! }
  })
}

const ORPHANS = 1000

/**
 * Takes the domain out of every list and stops its sending, unless something depends on it. Keeps its mail
 * for `mailDays` more.
 */
export async function requestRemoval(
  context: StoreContext,
  domain: DomainRow,
  mailDays: number,
): Promise<{ blockers: Blocker[] } | 'requested' | 'gone'> {
  const result = await context.db.transaction().execute(async (tx) => {
    // Locks also the domains that its removal changes, in one order, to avoid deadlocks.
    const held = await tx
      .selectFrom('domains')
      .select(['id', 'removal_requested_at'])
      .where('id', 'in', [domain.id, ...(await domainsWithCutFor(tx, domain))])
      .orderBy('id')
      .forNoKeyUpdate()
      .execute()
    const isStanding = held.some(
      ({ id, removal_requested_at }) => id === domain.id && removal_requested_at === null,
    )
    if (!isStanding) return 'gone' as const
    const blockers = await blockersOf(tx, domain.id)
    if (blockers.length > 0) return { blockers }
    await tx
      .updateTable('domains')
      .set({
        removal_requested_at: sql`now()`,
        mail_until: sql`now() + ${mailDays} * interval '1 day'`,
      })
      .where('id', '=', domain.id)
      .execute()
    await sql`
      with changed as (
        update inboxes set removed_at = now() where domain_id = ${domain.id} and removed_at is null
        returning *)
      ${insertInboxEvents('inbox.deleted', sql`'The inbox ' || address || ' was deleted.'`)}`.execute(
      tx,
    )
    await removeCut(tx, domain)
    await wakeDomain(tx, domain.id)
    await touchName(tx, domain.name)
    const message = `${domain.name} is being removed.`
    await insertDomainEvent(tx, domain.id, { type: 'domain.deleted', message })
    return 'requested' as const
  })
  context.doorbell.ring(TOPICS.domainsDue)
  context.doorbell.ring(TOPICS.servedNames)
  return result
}
