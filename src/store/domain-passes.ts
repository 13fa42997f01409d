/** What a pass reads and writes: the domain, and its recorder, fenced by the row's epoch. */

import { sql } from 'kysely'
import type { LoadedDomain } from '#domains/pass.ts'
import type { Ports } from '#domains/ports.ts'
import { createRecorder, type WriteFindings } from '#domains/recorder.ts'
import type { Claim, ConditionType, Domain } from '#domains/types.ts'
import type { Mine, Pick, Taken } from '#engine/due-rows.ts'
import { type ConditionRow, conditionsInJson, toConditions, withDates } from './conditions.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { DomainRow } from './domains.ts'
import { writeFindings } from './findings.ts'
import { placementStore } from './placements.ts'
import type { WorldName } from './tables.ts'

/** The names of the accounts that serve a domain: its zone host, sender and mailbox service. */
export type DomainAccounts = { zone: string; sender: string; mailbox: string }

/** Undefined for a world that is off in this process. */
export type PortsOf = (world: WorldName, accounts: DomainAccounts) => Ports | undefined

/** The rows of these worlds. */
export const inWorlds = (worlds: readonly WorldName[]): Mine =>
  sql`world = any(${[...worlds]}::text[])`

/** How many of the longest due rows are considered. */
const CONSIDERED = 200

/**
 * The longest due rows. No workspace takes more than its limit of places; the workspace with the fewest
 * places goes first.
 */
export const pickDomains =
  (ofWorkspace: number): Pick =>
  (limit, which, underWay) => {
    const isDue = sql`removed_at is null and next_at <= now() and lease_until <= now()`
    return sql`
    with busy as (
      select workspace_id, count(*) as places from domains
       where id = any(${[...underWay]}::uuid[]) group by workspace_id
    ), due as (
      select id, workspace_id, next_at from domains
       where ${isDue} and ${which}
         and workspace_id <> all(array(select workspace_id from busy where places >= ${ofWorkspace}))
       order by next_at limit ${CONSIDERED}
    ), ranked as (
      select id, next_at,
             coalesce(places, 0) + row_number() over (partition by workspace_id order by next_at) as place
        from due left join busy using (workspace_id)
    ), next as (
      select id from ranked where place <= ${ofWorkspace} order by place, next_at limit ${limit}
    )
    select id from domains where id in (select id from next) and ${isDue} for no key update skip locked`
  }

/** Loads a taken domain for its pass; undefined when it is gone. */
export async function loadForPass(
  context: StoreContext,
  row: Taken,
  portsOf: PortsOf,
): Promise<LoadedDomain | undefined> {
  const { db } = context
  const found = await db
    .selectFrom('domains as d')
    .innerJoin('claims as c', 'c.domain_id', 'd.id')
    .selectAll('d')
    .select(['c.id as claim_id', 'c.nameservers', 'c.points_at_pool'])
    .select([openPlacements, hasRecords, conditionsInJson])
    .where('d.id', '=', row.id)
    .where('d.removed_at', 'is', null)
    .executeTakeFirst()
  if (!found) return undefined
  const { claim_id: claimId, nameservers, placements, conditions, ...domain } = found
  const ports = portsOf(domain.world, accountsOfDomain(domain))
  if (!ports) return undefined // The world is off in this process.
  const claim = { claimId, name: domain.name, nameservers }
  const loaded = toDomain(found, conditions.map(withDates), claim)
  const removal = domain.removal_requested_at
    ? { requestedAt: domain.removal_requested_at, tornDownAt: domain.torn_down_at ?? undefined }
    : undefined
  const { status, failed_at: failedAt } = domain
  const recorder = createRecorder(
    { domain: loaded, status, failedAt },
    placementStore(context, row, domain, claimId, new Set(placements)),
    writerOf(context, row),
    ports.clock,
  )
  return { domain: loaded, status, removal, ports, recorder }
}

function writerOf({ db, doorbell }: StoreContext, taken: Taken): WriteFindings {
  return async (findings) => {
    await writeFindings(db, taken, findings)
    doorbell.ring(TOPICS.domain(taken.id))
    if (findings.touchesName) doorbell.ring(TOPICS.servedNames)
  }
}

/** The stages with a placement of the claim. */
const openPlacements = sql<ConditionType[]>`array(
  select stage from placements p where p.claim_id = c.id and p.removed_at is null)`.as('placements')

const hasRecords = sql<boolean>`exists (
  select from customer_records r where r.domain_id = d.id)`.as('has_records')

export const accountsOfDomain = (row: DomainRow): DomainAccounts => ({
  zone: row.zone_driver,
  sender: row.sender_driver,
  mailbox: row.mailbox_driver,
})

function toDomain(
  row: DomainRow & { points_at_pool: boolean; has_records: boolean },
  conditions: readonly ConditionRow[],
  claim: Claim,
): Domain {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    name: row.name,
    conditions: toConditions(conditions, row),
    activatedAt: row.activated_at ?? undefined,
    createdAt: row.created_at,
    askedAt: row.asked_at,
    mayActivate: row.may_activate,
    delegation: row.delegation ?? undefined,
    pointsAtPool: row.points_at_pool,
    hasOwnRecords: row.has_records,
    importIsWanted: row.import_state === 'wanted',
    takeMail: row.take_mail,
    acceptsDrops: row.accepts_drops,
    claim,
  }
}
