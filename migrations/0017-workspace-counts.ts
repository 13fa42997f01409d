import { type Kysely, sql } from 'kysely'

/** How often all keys of a workspace have asked of late, in each world. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
-- As request_counts: neither worth a write to the log, nor missed after a crash.
create unlogged table workspace_request_counts (
  workspace_id uuid not null,
  world text not null,
  minute_began timestamptz not null,
  minute_count integer not null,
  hour_began timestamptz not null,
  hour_count integer not null,
  let_in boolean not null,
  primary key (workspace_id, world)
) with (fillfactor = 50);
`
