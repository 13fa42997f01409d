import { type Kysely, sql } from 'kysely'

/** Inboxes at other providers: they belong to no domain, and have servers and log-ins of their own. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table inboxes alter column domain_id drop not null;
      create unique index inboxes_one_an_outside_address on inboxes (workspace_id, world, address)
        where domain_id is null and removed_at is null;
      create index inboxes_elsewhere_by_end on inboxes (removed_at) where domain_id is null;
      create table smtp_accounts (
        inbox_id uuid primary key references inboxes on delete cascade,
        smtp_host text not null,
        smtp_port int not null,
        smtp_encrypts boolean not null,
        smtp_log_in text not null,
        imap_host text not null,
        imap_port int not null,
        imap_encrypts boolean not null,
        imap_log_in text not null
      );
    `)
    .execute(db)
}
