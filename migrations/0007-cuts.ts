import { type Kysely, sql } from 'kysely'

/** Records that cut a name of the workspace off from its own zone above: they go with that name's domain. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
alter table customer_records
  drop constraint customer_records_origin_check,
  add constraint customer_records_origin_check check (origin in ('added', 'imported', 'cut'));
`
