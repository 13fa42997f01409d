import { type Kysely, sql } from 'kysely'

/** The text below the answers of an inbox. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw("alter table inboxes add column signature text not null default ''").execute(db)
}
