import { type Kysely, sql } from 'kysely'

/** The passwords with which mail programs log in to inboxes. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      create table app_passwords (
        id text primary key check (id ~ '^[a-z2-7]{8}$'),
        inbox_id uuid not null references inboxes on delete cascade,
        name text not null,
        hash text not null,
        created_at timestamptz not null default now(),
        expires_at timestamptz,
        last_used_at timestamptz
      );
      create index app_passwords_by_inbox on app_passwords (inbox_id, created_at);
    `)
    .execute(db)
}
