import { type Kysely, sql } from 'kysely'

/**
 * Addresses that get no mail from a workspace, or, without a workspace, from the installation. They are found by a
 * keyed hash, which an outgoing message has too; so an entry goes on working when its address is erased.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      create table suppressions (
        id uuid primary key,
        workspace_id uuid references workspaces,
        world text not null,
        hash bytea not null,
        address text,
        reason text not null check (reason in ('bounced', 'complained', 'unsubscribed', 'manual')),
        origin text not null check (origin in ('message', 'api', 'import')),
        detail text not null default '',
        created_at timestamptz not null default now()
      );
      create unique index suppressions_one_an_address on suppressions (hash, world, workspace_id) nulls not distinct;
      create index suppressions_newest on suppressions (workspace_id, world, created_at desc, id desc);
      alter table outgoing_messages add column recipient_hash bytea;
    `)
    .execute(db)
}
