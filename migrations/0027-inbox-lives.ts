import { type Kysely, sql } from 'kysely'

/** Inboxes that are removed one by one, and what became of each row of a bulk request. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table inboxes add column torn_down_at timestamptz, add column mail_until timestamptz;
      update inboxes set torn_down_at = removed_at where removed_at is not null;
      create index inboxes_to_tear_down on inboxes (domain_id) where removed_at is not null and torn_down_at is null;
      create index inboxes_by_end_of_mail on inboxes (mail_until) where mail_until is not null;
      create table bulk_jobs (
        id uuid primary key,
        workspace_id uuid not null references workspaces,
        world text not null,
        kind text not null,
        results jsonb not null,
        created_at timestamptz not null default now()
      );
      create index bulk_jobs_by_age on bulk_jobs (created_at);
    `)
    .execute(db)
}
