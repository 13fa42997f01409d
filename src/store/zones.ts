import { sql } from 'kysely'
import type { ZoneStore } from '#drivers/zone/embedded/driver.ts'
import type { StoreContext } from './context.ts'
import { TOPICS } from './context.ts'
import { ELSE_TOUCH, touchName } from './served-names.ts'
import type { WorldName } from './tables.ts'

/** The rows behind the embedded zone host. */
export function zoneStore({ db, doorbell }: StoreContext, world: WorldName): ZoneStore {
  return {
    async create({ claimId, name, nameservers }) {
      // With its name touched in the same statement.
      const { numAffectedRows } = await sql`
        with made as (
          insert into zones (claim_id, world, name, nameservers, rrsets)
          values (${claimId}, ${world}, ${name}, ${[...nameservers]}, '[]')
          on conflict do nothing returning name)
        insert into served_names (name) select name from made ${ELSE_TOUCH}`.execute(db)
      if (numAffectedRows) doorbell.ring(TOPICS.servedNames)
    },
    async read(claimId) {
      const zone = await db
        .selectFrom('zones')
        .select('rrsets')
        .where('claim_id', '=', claimId)
        .executeTakeFirst()
      return zone?.rrsets
    },
    async edit(claimId, edit) {
      const isThere = await db.transaction().execute(async (tx) => {
        const zone = await tx
          .selectFrom('zones')
          .select(['name', 'rrsets'])
          .where('claim_id', '=', claimId)
          .forUpdate()
          .executeTakeFirst()
        if (zone === undefined) return false
        await tx
          .updateTable('zones')
          .set({ rrsets: JSON.stringify(edit(zone.rrsets)) as never })
          .where('claim_id', '=', claimId)
          .execute()
        await touchName(tx, zone.name)
        return true
      })
      doorbell.ring(TOPICS.servedNames)
      return isThere
    },
    async remove({ claimId, name }) {
      await db.transaction().execute(async (tx) => {
        await tx.deleteFrom('zones').where('claim_id', '=', claimId).execute()
        await touchName(tx, name)
      })
      doorbell.ring(TOPICS.servedNames)
    },
  }
}
