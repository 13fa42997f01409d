import { sql } from 'kysely'
import type { RRset } from '#drivers/zone/contract.ts'
import type { ZoneStore } from '#drivers/zone/embedded/driver.ts'
import type { StoreContext } from './context.ts'
import { TOPICS } from './context.ts'
import type { Database } from './database.ts'
import { ReadOnce } from './read-once.ts'
import { ELSE_TOUCH, touchName } from './served-names.ts'
import type { WorldName } from './tables.ts'

/** The rows behind the embedded zone host, for one pass. */
export function zoneStore({ db, doorbell }: StoreContext, world: WorldName): ZoneStore {
  const known = new ReadOnce<readonly RRset[] | undefined>()
  const read = (claimId: string) => known.get(claimId, () => readZone(db, claimId))
  return {
    async create({ claimId, name, nameservers }) {
      if (await read(claimId)) return
      // With its name touched in the same statement.
      const making = sql`
        with made as (
          insert into zones (claim_id, world, name, nameservers, rrsets)
          values (${claimId}, ${world}, ${name}, ${[...nameservers]}, '[]')
          on conflict do nothing returning name)
        insert into served_names (name) select name from made ${ELSE_TOUCH}`
      const { numAffectedRows } = await known.writing(claimId, () => making.execute(db))
      if (numAffectedRows) doorbell.ring(TOPICS.servedNames)
    },
    read,
    async edit(claimId, edit) {
      const editing = db.transaction()
      const isThere = await known.writing(claimId, () =>
        editing.execute(async (tx) => {
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
        }),
      )
      doorbell.ring(TOPICS.servedNames)
      return isThere
    },
    async remove({ claimId, name }) {
      const removing = db.transaction()
      await known.writing(claimId, () =>
        removing.execute(async (tx) => {
          await tx.deleteFrom('zones').where('claim_id', '=', claimId).execute()
          await touchName(tx, name)
        }),
      )
      doorbell.ring(TOPICS.servedNames)
    },
  }
}

async function readZone(db: Database, claimId: string): Promise<readonly RRset[] | undefined> {
  const zone = await db
    .selectFrom('zones')
    .select('rrsets')
    .where('claim_id', '=', claimId)
    .executeTakeFirst()
  return zone?.rrsets
}
