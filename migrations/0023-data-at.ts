import { type Kysely, sql } from 'kysely'

/** When a message that must not be sent twice was about to be handed over; what became of it is not known then. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw('alter table outgoing_messages add column data_at timestamptz').execute(db)
}
