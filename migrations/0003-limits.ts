import { type Kysely, sql } from 'kysely'

/** What an API key has asked for: how often of late, and what was answered to requests with an Idempotency-Key. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
-- A row for each key, changed by every request: neither worth a write to the log, nor missed after a crash.
-- No reference to api_keys: the bootstrap key is not there.
create unlogged table request_counts (
  key_id uuid primary key,
  minute_began timestamptz not null,
  minute_count integer not null,
  hour_began timestamptz not null,
  hour_count integer not null,
  let_in boolean not null
) with (fillfactor = 50);

create table idempotent_requests (
  key_id uuid not null,
  name text not null,
  fingerprint bytea not null,
  claim uuid not null,
  lease_until timestamptz not null,
  status integer,
  content_type text,
  answer text,
  created_at timestamptz not null default now(),
  primary key (key_id, name)
);
create index idempotent_requests_by_age on idempotent_requests (created_at);

create index api_keys_of_a_workspace on api_keys (workspace_id, world, created_at desc, id desc)
  where revoked_at is null;
`
