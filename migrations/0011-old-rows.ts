import { type Kysely, sql } from 'kysely'

/** Rows that are kept for a while only are found by their age, and a delivery that has ended holds no message. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
create index deliveries_by_end on deliveries (finished_at) where finished_at is not null;
create index provider_events_by_age on provider_events (received_at);
create index sandbox_messages_by_age on sandbox_messages (received_at);
update deliveries set raw = '' where finished_at is not null;
`
