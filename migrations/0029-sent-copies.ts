import { type Kysely, sql } from 'kysely'

/** A message that an inbox sent stands in its conversation, too; `outgoing_id` tells it from those received. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw('alter table messages add column outgoing_id uuid').execute(db)
}
