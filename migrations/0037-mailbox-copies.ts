import { type Kysely, sql } from 'kysely'

/**
 * Messages to hand over to Dovecot, each with the id of its message, and mail users whose sessions there are to be
 * ended. A row is deleted once its work is done.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      create table mailbox_copies (
        id uuid primary key references messages on delete cascade,
        inbox_id uuid not null references inboxes on delete cascade,
        created_at timestamptz not null default now(),
        next_at timestamptz not null default now(),
        lease_until timestamptz not null default '-infinity',
        epoch bigint not null default 0,
        wake bigint not null default 0,
        failures int not null default 0
      );
      create index mailbox_copies_due on mailbox_copies (next_at);
      create index mailbox_copies_of_an_inbox on mailbox_copies (inbox_id);
      create table ended_log_ins (
        mail_user text primary key
      );
    `)
    .execute(db)
}
