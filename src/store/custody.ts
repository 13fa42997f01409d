/** Who holds a name: the transactions behind claims.ts. */

import { sql } from 'kysely'
import { drawPair, type PoolName } from '#domains/claims.ts'
import type { Custody, EnclosingHolder } from '#domains/ports.ts'
import type { Claim } from '#domains/types.ts'
import { DriverError } from '#drivers/errors.ts'
import { ancestorsOf } from '#names/domain-name.ts'
import { type StoreContext, TOPICS } from './context.ts'
import { type Queryable, violates } from './database.ts'
import { ON_CONFLICT_TOUCH } from './served-names.ts'
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
      await makeHolder(db, world, claim)
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

    async setPointsAtPool({ claimId }, pointsAtPool) {
      await sql`
        with shown as (
          update claims set points_at_pool = ${pointsAtPool} where id = ${claimId} returning name)
        insert into served_names (name) select name from shown ${ON_CONFLICT_TOUCH}`.execute(db)
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
 * Makes the claim the holder of its name, and wakes the domains concerned: other claims on the name, and the
 * domains below it, which must look whether the new zone cuts them off. Each part waits for the one before it, so
 * that rows of domains are locked first and in the order of their ids, as everywhere: a removal locks the domain's row
 * before the holder's.
 */
async function makeHolder(
  db: Queryable,
  world: WorldName,
  { claimId, name }: Claim,
): Promise<void> {
  await sql`
    with concerned as (
      select domain_id from claims
       where world = ${world} and name = ${name} and id <> ${claimId} and released_at is null
      union
      (select domain_id from claims
        where world = ${world} and released_at is null
          and reverse(name) like reverse('.' || ${name}::text) || '%'
        order by domain_id limit ${WOKEN_BELOW})
    ), held as (
      select id from domains where id in (select domain_id from concerned) order by id for no key update
    ), woken as (
      update domains d set wake = wake + 1, next_at = least(next_at, now()) from held where d.id = held.id
      returning d.id
    ), holder as (
      insert into holders (world, name, claim_id)
      select ${world}, ${name}, ${claimId}::uuid from (select count(*) from woken) locked
      on conflict (world, name) do update
         set claim_id = excluded.claim_id, epoch = holders.epoch + 1, since = now()
      returning claim_id
    ), shown as (
      update claims c set shown_at = coalesce(shown_at, now()) from holder where c.id = holder.claim_id
      returning c.id)
    insert into served_names (name) select ${name} from (select count(*) from shown) locked
    ${ON_CONFLICT_TOUCH}`.execute(db)
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
