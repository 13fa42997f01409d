import { type Kysely, sql } from 'kysely'

/** For how long a condition has not been met: a retry begins the waiting anew, and no second grace. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
alter table conditions add column unmet_ms bigint not null default 0;
update conditions set unmet_ms = waited_ms;
`
