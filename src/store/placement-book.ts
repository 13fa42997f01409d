/** What stands at providers for a claim: noted before it is made, and struck out when it is gone. */
import { sql, type Transaction } from 'kysely'
import type { Placements } from '#domains/ports.ts'
import type { ConditionType } from '#domains/types.ts'
import { fence, LeaseLost, type Taken } from '#engine/due-rows.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { DomainRow } from './domains.ts'
import { tellOfDomain } from './events.ts'
import { touchName } from './served-names.ts'
import type { Tables } from './tables.ts'

export function placementBook(
  { db, doorbell }: StoreContext,
  taken: Taken,
  row: DomainRow,
  claimId: string,
  placements: Set<ConditionType>,
): Placements {
  async function write(change: (tx: Transaction<Tables>) => Promise<void>): Promise<void> {
    await db.transaction().execute(async (tx) => {
      await fence(tx, 'domains', taken)
      await change(tx)
    })
    doorbell.ring(TOPICS.domain(row.id))
  }

  return {
    placements,
    async placed({ claimId }, stage) {
      if (placements.has(stage)) return
      const driver = driverOf(row, stage)
      // Fenced in the statement itself.
      const noted = await sql`
        insert into placements (claim_id, stage, driver)
        select ${claimId}, ${stage}, ${driver} from domains
         where id = ${taken.id} and epoch = ${taken.epoch} for no key update
        on conflict (claim_id, stage) do update set removed_at = null, made_at = now()`.execute(db)
      if (noted.numAffectedRows !== 1n) throw new LeaseLost(`domain ${row.id} was taken meanwhile`)
      placements.add(stage)
    },
    async removed(claim, stage) {
      await write(async (tx) => {
        await tx
          .updateTable('placements')
          .set({ removed_at: sql`now()` })
          .where('claim_id', '=', claim.claimId)
          .where('stage', '=', stage)
          .execute()
        const message = `Removed: ${stage}.`
        await tellOfDomain(tx, row.id, { type: 'stage.removed', stage, message })
      })
      placements.delete(stage)
    },
    async tornDown() {
      if (row.torn_down_at) return
      await write(async (tx) => {
        await tx
          .updateTable('domains')
          .set({ torn_down_at: sql`now()` })
          .where('id', '=', row.id)
          .execute()
        await touchName(tx, row.name)
      })
    },
    async gone() {
      await write(async (tx) => {
        await tx
          .updateTable('domains')
          .set({ torn_down_at: sql`coalesce(torn_down_at, now())`, removed_at: sql`now()` })
          .where('id', '=', row.id)
          .execute()
        await tx.deleteFrom('holders').where('claim_id', '=', claimId).execute()
        await tx
          .updateTable('claims')
          .set({ released_at: sql`now()` })
          .where('id', '=', claimId)
          .execute()
        await touchName(tx, row.name)
      })
      doorbell.ring(TOPICS.servedNames)
    },
  }
}

function driverOf(row: DomainRow, stage: ConditionType): string {
  if (stage === 'zone_ready' || stage === 'records_published') return row.zone_driver
  return stage === 'mail_domain_ready' ? row.mailbox_driver : row.sender_driver
}
