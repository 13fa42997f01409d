/** Placements of a claim: noted before they are made, closed when they are removed. */
import { type RawBuilder, sql } from 'kysely'
import type { Placements } from '#domains/ports.ts'
import type { ConditionType } from '#domains/types.ts'
import { LeaseLost, type Taken } from '#engine/due-rows.ts'
import type { NewEvent } from '#events/catalogue.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { DomainRow } from './domains.ts'
import { insertDomainEvents } from './events.ts'
import { ON_CONFLICT_TOUCH } from './served-names.ts'

export function placementStore(
  { db, doorbell }: StoreContext,
  taken: Taken,
  row: DomainRow,
  claimId: string,
  placements: Set<ConditionType>,
): Placements {
  /** `changes` follow a CTE `held`: the domain, while its lease is valid. */
  async function write(changes: RawBuilder<unknown>): Promise<void> {
    const { rows } = await sql`
      with held as (
        select id, workspace_id, world, name from domains
         where id = ${taken.id} and epoch = ${taken.epoch} for no key update
      ), ${changes}
      select from held`.execute(db)
    if (rows.length === 0) throw new LeaseLost(`domain ${row.id} was taken by another worker`)
    doorbell.ring(TOPICS.domain(row.id))
  }

  const newEvents = (event: NewEvent) =>
    sql`new_events as (${insertDomainEvents(sql`held`, [event])})`
  const touched = sql`touched as (insert into served_names (name) select name from held ${ON_CONFLICT_TOUCH})`

  return {
    placements,
    async recordPlacement({ claimId }, stage) {
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
    async recordStageRemoved(claim, stage) {
      const event = { type: 'stage.removed', stage, message: `Removed: ${stage}.` } as const
      await write(sql`
        struck as (
          update placements p set removed_at = now() from held
           where p.claim_id = ${claim.claimId} and p.stage = ${stage}
        ), ${newEvents(event)}`)
      placements.delete(stage)
    },
    async recordTornDown() {
      if (row.torn_down_at) return
      await write(sql`
        torn as (update domains d set torn_down_at = now() from held where d.id = held.id), ${touched}`)
      doorbell.ring(TOPICS.servedNames)
    },
    async recordDomainRemoved() {
      const message = `${row.name} is removed everywhere.`
      await write(sql`
        removed as (
          update domains d set torn_down_at = coalesce(d.torn_down_at, now()), removed_at = now()
            from held where d.id = held.id
        ), unheld as (delete from holders h using held where h.claim_id = ${claimId}),
        released as (update claims c set released_at = now() from held where c.id = ${claimId}),
        ${newEvents({ type: 'domain.removed', message })}, ${touched}`)
      doorbell.ring(TOPICS.servedNames)
    },
  }
}

function driverOf(row: DomainRow, stage: ConditionType): string {
  if (stage === 'zone_ready' || stage === 'records_published') return row.zone_driver
  return stage === 'mail_domain_ready' ? row.mailbox_driver : row.sender_driver
}
