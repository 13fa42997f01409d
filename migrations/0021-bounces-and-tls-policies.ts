import { type Kysely, sql } from 'kysely'

/**
 * What a message comes back to is made when it leaves; reports that do not say it name its Message-ID. What
 * destinations ask of TLS is kept.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table outgoing_messages rename column envelope_sender to author;
      create index outgoing_messages_by_message_id on outgoing_messages (message_id);

      create table tls_policies (domain text primary key, policy jsonb not null, expires_at timestamptz not null);
    `)
    .execute(db)
}
