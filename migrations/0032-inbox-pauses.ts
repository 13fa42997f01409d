import { type Kysely, sql } from 'kysely'

/** Why an inbox is paused, and since when its messages count towards the next pause. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw('alter table inboxes add column pause jsonb, add column counted_from timestamptz')
    .execute(db)
}
