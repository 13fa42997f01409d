import { type Kysely, sql } from 'kysely'

/** What is read off the value and the status of a record is not kept beside them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw('alter table records drop column priority, drop column message').execute(db)
}
