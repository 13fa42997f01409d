import { sql } from 'kysely'
import type { RRset } from '#drivers/zone/contract.ts'
import type { ZoneStore } from '#drivers/zone/embedded/driver.ts'
import type { StoreContext } from './context.ts'
import { TOPICS } from './context.ts'
import type { Database } from './database.ts'
import { PassCache } from './pass-cache.ts'
import { ON_CONFLICT_TOUCH } from './served-names.ts'
import type { WorldName } from './tables.ts'

/** The rows behind the embedded zone host, for one pass. */
export function zoneStore({ db, doorbell }: StoreContext, world: WorldName): ZoneStore {
  const known = new PassCache<readonly RRset[] | undefined>()
  const read = (claimId: string) => known.get(claimId, () => readZone(db, claimId))
  return {
    async create({ claimId, name, nameservers }) {
      if (await read(claimId)) return
      // Touches the name in the same statement.
      const making = sql`
        with made as (
          insert into zones (claim_id, world, name, nameservers, rrsets)
          values (${claimId}, ${world}, ${name}, ${[...nameservers]}, '[]')
          on conflict do nothing returning name)
        insert into served_names (name) select name from made ${ON_CONFLICT_TOUCH}`
      const { numAffectedRows } = await known.writing(claimId, () => making.execute(db))
      if (numAffectedRows) doorbell.ring(TOPICS.servedNames)
    },
    read,
    async edit(claimId, edit) {
      // Usually it is unchanged since the read; then one statement is enough.
      for (let tries = 0; tries < EDITS_TRIED; tries++) {
        const before = await read(claimId)
        if (before === undefined) return false
        const [from, to] = [JSON.stringify(before), JSON.stringify(edit(before))]
        const editing = sql`
          with edited as (
            update zones set rrsets = ${to}::jsonb
             where claim_id = ${claimId} and rrsets = ${from}::jsonb returning name)
          insert into served_names (name) select name from edited ${ON_CONFLICT_TOUCH}`
        const { numAffectedRows } = await known.writing(claimId, () => editing.execute(db))
        if (!numAffectedRows) continue
        doorbell.ring(TOPICS.servedNames)
        return true
      }
      throw new Error(`the zone of claim ${claimId} changed during each of ${EDITS_TRIED} edits`)
    },
    async remove({ claimId, name }) {
      const removing = sql`
        with gone as (delete from zones where claim_id = ${claimId})
        insert into served_names (name) values (${name}) ${ON_CONFLICT_TOUCH}`
      await known.writing(claimId, () => removing.execute(db))
      doorbell.ring(TOPICS.servedNames)
    },
  }
}

const EDITS_TRIED = 10

async function readZone(db: Database, claimId: string): Promise<readonly RRset[] | undefined> {
  const zone = await db
    .selectFrom('zones')
    .select('rrsets')
    .where('claim_id', '=', claimId)
    .executeTakeFirst()
  return zone?.rrsets
}
