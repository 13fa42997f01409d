/** Cuts: NS records that delegate a name inside another zone of its workspace. */
import { sql } from 'kysely'
import { absolute, ancestorsOf } from '#names/domain-name.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { insertRecords } from './customer-records.ts'
import type { Queryable } from './database.ts'
import type { DomainRow } from './domains.ts'
import { wakeDomain } from './due-tables.ts'

export type CutResult = { is: 'cut'; zone: string } | { is: 'not_inside' | 'gone' }

/** Checks the locked domain whose zone will hold the cut; throws why it cannot. */
export type CheckCut = (held: Queryable, above: DomainRow) => Promise<void>

const TTL_S = 300

/**
 * Puts the domain's nameservers into the enclosing zone of the same workspace, in place of earlier ones.
 * `gone`: the domain is being removed.
 */
export async function addCut(
  context: StoreContext,
  domain: DomainRow,
  nameservers: readonly string[],
  check: CheckCut,
): Promise<CutResult> {
  const result = await context.db.transaction().execute(async (tx): Promise<CutResult> => {
    const above = await zoneAbove(tx, domain)
    if (above?.workspace_id !== domain.workspace_id) return { is: 'not_inside' }
    if (!(await areActive(tx, [above.id, domain.id]))) return { is: 'gone' }
    await check(tx, above)
    const cut = nameservers.map((each) => {
      return { name: absolute(domain.name), type: 'NS' as const, value: absolute(each), ttl: TTL_S }
    })
    await tx
      .updateTable('customer_records')
      .set({ removed_at: sql`now()` })
      .where('domain_id', '=', above.id)
      .where('name', '=', absolute(domain.name))
      .where('type', '=', 'NS')
      .where(
        'value',
        'not in',
        cut.map(({ value }) => value),
      )
      .where('removed_at', 'is', null)
      .execute()
    await insertRecords(tx, above.id, cut, 'cut')
    await tx
      .updateTable('domains')
      .set({ asked_at: sql`now()` })
      .where('id', '=', domain.id)
      .execute()
    for (const id of [above.id, domain.id]) await wakeDomain(tx, id)
    return { is: 'cut', zone: above.name }
  })
  context.doorbell.ring(TOPICS.domainsDue)
  return result
}

/** Whether none is being removed; the locks prevent it until the transaction ends. */
async function areActive(tx: Queryable, ids: readonly string[]): Promise<boolean> {
  const active = await tx
    .selectFrom('domains')
    .select('id')
    .where('id', 'in', [...ids])
    .where('removal_requested_at', 'is', null)
    .orderBy('id')
    .forNoKeyUpdate()
    .execute()
  return active.length === ids.length
}

/** Of `customer_records r` in the zone of `domains d`. */
const isCutFor = ({ workspace_id, world, name }: DomainRow) => sql<boolean>`
  d.workspace_id = ${workspace_id} and d.world = ${world}
  and r.origin = 'cut' and r.name = ${absolute(name)} and r.removed_at is null`

/** The domains whose zones hold a cut for this one. */
export async function domainsWithCutFor(tx: Queryable, domain: DomainRow): Promise<string[]> {
  const cuts = await tx
    .selectFrom('customer_records as r')
    .innerJoin('domains as d', 'd.id', 'r.domain_id')
    .select('d.id')
    .distinct()
    .where(isCutFor(domain))
    .execute()
  return cuts.map(({ id }) => id)
}

/** Removes the cut made for the domain. Part of its removal. */
export async function removeCut(tx: Queryable, domain: DomainRow): Promise<void> {
  const removed = await tx
    .updateTable('customer_records as r')
    .from('domains as d')
    .set({ removed_at: sql`now()` })
    .whereRef('d.id', '=', 'r.domain_id')
    .where(isCutFor(domain))
    .returning('d.id')
    .execute()
  for (const id of new Set(removed.map((row) => row.id))) await wakeDomain(tx, id)
}

/** The nearest holder above. */
function zoneAbove(tx: Queryable, { world, name }: DomainRow) {
  return tx
    .selectFrom('holders as h')
    .innerJoin('claims as c', 'c.id', 'h.claim_id')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .selectAll('d')
    .where('h.world', '=', world)
    .where('h.name', 'in', ancestorsOf(name))
    .orderBy((e) => e.fn('length', ['h.name']), 'desc')
    .executeTakeFirst()
}
