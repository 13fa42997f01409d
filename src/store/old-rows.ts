/** Rows that are kept for a while only, and how long. */
import { sql } from 'kysely'
import type { StoreContext } from './context.ts'

// biome-ignore format: a table
const KEPT_FOR = [
  { table: 'outgoing_messages', since: 'finished_at', days: 30 },
  { table: 'provider_events',  since: 'received_at', days: 30 },
  { table: 'sandbox_messages', since: 'received_at', days: 30 },
  { table: 'tls_policies', since: 'expires_at', days: 30 },
] as const

const DROPPED_AT_ONCE = 1000
const DROPS = 1000

/** Forgets what is older, some at a time. */
export async function dropOldRows({ db }: StoreContext): Promise<void> {
  for (const { table, since, days } of KEPT_FOR) {
    for (let drop = 0; drop < DROPS; drop += 1) {
      const dropped = await sql`
        delete from ${sql.table(table)} where ctid = any(array(
          select ctid from ${sql.table(table)}
           where ${sql.ref(since)} <= now() - ${days} * interval '1 day' limit ${DROPPED_AT_ONCE}))`.execute(
        db,
      )
      if (Number(dropped.numAffectedRows ?? 0) < DROPPED_AT_ONCE) break
    }
  }
}
