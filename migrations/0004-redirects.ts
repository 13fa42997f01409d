import { type Kysely, sql } from 'kysely'

/** Where the web addresses of a domain lead: one redirect for each domain at most. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
create table redirects (
  id uuid primary key,
  workspace_id uuid not null references workspaces,
  world text not null check (world in ('live', 'sandbox')),
  domain_id uuid not null unique references domains on delete cascade,
  target_domain text not null,
  status_code int not null check (status_code in (301, 302, 307, 308)),
  preserve_path boolean not null,
  preserve_query_string boolean not null,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now()
);
`
