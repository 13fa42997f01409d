import { type Kysely, sql } from 'kysely'

/** Services outside of the house: what a driver must remember, what was sent through them, what became of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
alter table inboxes add column problem jsonb;

-- For the names below a name.
create index claims_from_the_end on claims (world, reverse(name) text_pattern_ops);

create table driver_notes (
  account text not null,
  claim_id uuid not null,
  key text not null,
  value text not null,
  primary key (account, claim_id, key)
);

create table turns (
  key text primary key,
  holder uuid not null,
  lease_until timestamptz not null
);

create table handed_over (
  account text not null,
  operation_id text not null,
  claim_id uuid,
  recipient text not null,
  state text not null default 'accepted',
  detail text not null default '',
  handed_at timestamptz not null default now(),
  reported_at timestamptz,
  primary key (account, operation_id, recipient)
);
create index handed_over_of_a_claim on handed_over (claim_id);

create table provider_events (
  account text not null,
  event_id text not null,
  received_at timestamptz not null default now(),
  primary key (account, event_id)
);
`
