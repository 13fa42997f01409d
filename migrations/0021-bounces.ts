import { type Kysely, sql } from 'kysely'

/** What a message comes back to is made when it leaves; reports that do not say it name its Message-ID. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table outgoing_messages rename column envelope_sender to author;
      create index outgoing_messages_by_message_id on outgoing_messages (message_id);
    `)
    .execute(db)
}
