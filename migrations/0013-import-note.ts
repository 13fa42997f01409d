import { type Kysely, sql } from 'kysely'

/** What an import could not find is said in sentences. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw("alter table domains add column import_note text not null default ''").execute(db)
}
