/** Who holds a name: the transactions behind claims.ts. */

import { sql } from 'kysely'
import { drawPair, type PoolName } from '#domains/claims.ts'
import type { Custody, EnclosingHolder } from '#domains/ports.ts'
import type { Claim } from '#domains/types.ts'
import { DriverError } from '#drivers/errors.ts'
import { ancestorsOf } from '#names/domain-name.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { type Queryable, violates } from './database.ts'
import { wakeDomain } from './due-tables.ts'
import { touchName } from './served-names.ts'
import type { WorldName } from './tables.ts'

const DRAWS = 8
/** Wakes at most this many; the others look when they are due. */
const WOKEN_BELOW = 1000

/** The pool of the claim's zone host, and all of our pools. */
export type Pools = { own: readonly PoolName[]; all: readonly PoolName[] }

export function custodyStore(context: StoreContext, world: WorldName, pools: Pools): Custody {
  const { db, doorbell } = context
  /** The accounts of the claim's own domain. */
  const placeOf = (claimId: string) =>
    db
      .selectFrom('domains as d')
      .innerJoin('claims as own', 'own.domain_id', 'd.id')
      .where('own.id', '=', claimId)
  /** Placements of other claims on the name. */
  const othersPlacements = ({ claimId, name }: Claim) =>
    db
      .selectFrom('placements as p')
      .innerJoin('claims as c', 'c.id', 'p.claim_id')
      .select('p.claim_id')
      .where('c.world', '=', world)
      .where('c.name', '=', name)
      .where('c.id', '<>', claimId)
      .where('p.removed_at', 'is', null)
  return {
    pool: pools.all.map(({ name }) => name),

    async drawPair(claim, shown) {
      for (let draw = 0; draw < DRAWS; draw++) {
        const pair = await drawOnce(context, world, pools.own, claim, shown)
        if (pair) return pair
      }
      throw new Error(`no nameserver pair could be drawn for ${claim.name}`)
    },

    async assignPair({ claimId, name }, nameservers) {
      try {
        await db
          .updateTable('claims')
          .set({ nameservers: [...nameservers] })
          .where('id', '=', claimId)
          .execute()
      } catch (error) {
        if (!violates(error, 'claims_own_pair')) throw error
        throw new DriverError('conflict', `The zone host gave ${name} nameservers it had before.`)
      }
    },

    enclosingHolder: (claim) => enclosingHolder(db, world, claim),

    async isZoneTaken(claim) {
      const mine = db
        .selectFrom('placements')
        .where('claim_id', '=', claim.claimId)
        .where('stage', '=', 'zone_ready')
        .where('removed_at', 'is', null)
      const other = await othersPlacements(claim)
        .where('p.stage', '=', 'zone_ready')
        .where('p.driver', '=', placeOf(claim.claimId).select('d.zone_driver'))
        // Of two that began together, the first continues.
        .where((is) =>
          is.or([
            is.not(is.exists(mine.select('stage'))),
            is('p.made_at', '<', mine.select('made_at')),
          ]),
        )
        .executeTakeFirst()
      return other !== undefined
    },

    async confirm(claim) {
      if (await this.holds(claim)) return
      await db.transaction().execute((tx) => makeHolder(tx, world, claim))
      doorbell.ring(TOPICS.servedNames)
      doorbell.ring(TOPICS.domainsDue)
    },

    async holds({ claimId }) {
      const held = await db
        .selectFrom('holders')
        .select('name')
        .where('claim_id', '=', claimId)
        .executeTakeFirst()
      return held !== undefined
    },

    async isDisplaced({ claimId, name }) {
      const other = await db
        .selectFrom('holders')
        .select('claim_id')
        .where('world', '=', world)
        .where('name', '=', name)
        .where('claim_id', '<>', claimId)
        .executeTakeFirst()
      return other !== undefined
    },

    async isHandingOver(claim) {
      const accounts = sql<string>`unnest(array[d.sender_driver, d.mailbox_driver])`.as('account')
      const left = await othersPlacements(claim)
        .where('p.stage', '<>', 'zone_ready')
        // Placements at other accounts do not conflict.
        .where('p.driver', 'in', placeOf(claim.claimId).select(accounts))
        .executeTakeFirst()
      return left !== undefined
    },

    async setPointsAtPool({ claimId, name }, pointsAtPool) {
      await db.transaction().execute(async (tx) => {
        await tx
          .updateTable('claims')
          .set({ points_at_pool: pointsAtPool })
          .where('id', '=', claimId)
          .execute()
        await touchName(tx, name)
      })
      doorbell.ring(TOPICS.servedNames)
    },
  }
}

async function enclosingHolder(
  db: Queryable,
  world: WorldName,
  { claimId, name }: Claim,
): Promise<EnclosingHolder | undefined> {
  // A TLD has no holder.
  const above = ancestorsOf(name).filter((each) => each.includes('.'))
  if (above.length === 0) return undefined
  const holder = await db
    .selectFrom('holders as h')
    .innerJoin('claims as c', 'c.id', 'h.claim_id')
    .innerJoin('domains as d', 'd.id', 'c.domain_id')
    .innerJoin('claims as mine', (join) => join.on('mine.id', '=', claimId))
    .select(['c.id', 'c.name', 'c.nameservers', 'c.workspace_id', 'd.zone_driver'])
    .select('mine.workspace_id as mine')
    .where('h.world', '=', world)
    .where('h.name', 'in', above)
    .orderBy((e) => e.fn('length', ['h.name']), 'desc')
    .executeTakeFirst()
  return (
    holder && {
      claim: { claimId: holder.id, name: holder.name, nameservers: holder.nameservers },
      sameWorkspace: holder.workspace_id === holder.mine,
      account: holder.zone_driver,
    }
  )
}

/**
 * Makes the claim the holder of its name, and wakes the domains concerned. Locks rows of domains first, by
 * id, as everywhere: a removal locks the domain's row before the holder's.
 */
async function makeHolder(tx: Queryable, world: WorldName, claim: Claim): Promise<void> {
  const concerned = [...(await othersOn(tx, world, claim)), ...(await below(tx, world, claim.name))]
  for (const id of [...new Set(concerned)].toSorted()) await wakeDomain(tx, id)
  await tx
    .insertInto('holders')
    .values({ world, name: claim.name, claim_id: claim.claimId })
    .onConflict((c) =>
      c.columns(['world', 'name']).doUpdateSet((e) => ({
        claim_id: claim.claimId,
        epoch: e('holders.epoch', '+', '1'),
        since: new Date(),
      })),
    )
    .execute()
  await tx
    .updateTable('claims')
    .set((e) => ({ shown_at: e.fn.coalesce('shown_at', e.val(new Date())) }))
    .where('id', '=', claim.claimId)
    .execute()
  await touchName(tx, claim.name)
}

/** Undefined when another process drew the same pair in the same moment. */
async function drawOnce(
  { db }: StoreContext,
  world: WorldName,
  pool: readonly PoolName[],
  claim: Claim,
  shown: readonly string[],
): Promise<readonly string[] | undefined> {
  const others = await db
    .selectFrom('claims')
    .select(['id', 'nameservers'])
    .where('world', '=', world)
    .where('name', '=', claim.name)
    .execute()
  const own = others.find(({ id }) => id === claim.claimId)
  if (own && own.nameservers.length > 0) return own.nameservers
  const pair = drawPair(
    pool,
    others.map(({ nameservers }) => nameservers),
    shown,
  )
  if (pair === undefined)
    throw new Error(`the pool of nameserver pairs is used up for ${claim.name}`)
  try {
    await db
      .updateTable('claims')
      .set({ nameservers: [...pair] })
      .where('id', '=', claim.claimId)
      .where(sql<boolean>`nameservers = '{}'`)
      .execute()
  } catch (error) {
    if (violates(error, 'claims_own_pair')) return undefined
    throw error
  }
  return pair
}

/** Includes the former holder, and claims that never held the name. */
async function othersOn(
  tx: Queryable,
  world: WorldName,
  { claimId, name }: Claim,
): Promise<string[]> {
  const others = await tx
    .selectFrom('claims')
    .select('domain_id')
    .where('world', '=', world)
    .where('name', '=', name)
    .where('id', '<>', claimId)
    .where('released_at', 'is', null)
    .execute()
  return others.flatMap(({ domain_id }) => domain_id ?? [])
}

/** The domains below the name: each must look whether the new zone cuts it off. */
async function below(tx: Queryable, world: WorldName, name: string): Promise<string[]> {
  const claims = await tx
    .selectFrom('claims')
    .select('domain_id')
    .where('world', '=', world)
    .where('released_at', 'is', null)
    .where(sql<boolean>`reverse(name) like reverse('.' || ${name}::text) || '%'`)
    .orderBy('domain_id')
    .limit(WOKEN_BELOW)
    .execute()
  return claims.flatMap(({ domain_id }) => domain_id ?? [])
}
