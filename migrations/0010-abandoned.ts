import { type Kysely, sql } from 'kysely'

/** What was given up at an outside service that is not there any more: a ledger of what may still stand. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw('alter table placements add column abandoned_at timestamptz').execute(db)
}
