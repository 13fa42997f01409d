import { type Kysely, sql } from 'kysely'

/**
 * The first house. Every tenant table carries its workspace and its world. Columns `next_at`,
 * `lease_until`, `epoch` and `wake` make a table one of due rows (see src/engine/due-rows.ts).
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(TABLES).execute(db)
}

const DUE_ROW = `
  next_at timestamptz not null default now(),
  lease_until timestamptz not null default '-infinity',
  epoch bigint not null default 0,
  wake bigint not null default 0,
  failures int not null default 0`

const TABLES = `
create table workspaces (
  id uuid primary key,
  name text not null,
  created_at timestamptz not null default now()
);

create table api_keys (
  id uuid primary key,
  workspace_id uuid not null references workspaces,
  world text not null check (world in ('live', 'sandbox')),
  name text not null,
  hash bytea not null unique,
  scopes text[] not null,
  expires_at timestamptz,
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  revoked_at timestamptz
);

create table domains (
  id uuid primary key,
  workspace_id uuid not null references workspaces,
  world text not null check (world in ('live', 'sandbox')),
  name text not null,
  status text not null default 'PENDING',
  may_activate boolean not null default true,
  zone_driver text not null,
  sender_driver text not null,
  mailbox_driver text not null,
  max_inboxes int not null default 50,
  created_at timestamptz not null default now(),
  asked_at timestamptz not null default now(),
  activated_at timestamptz,
  delegation jsonb,
  removal_requested_at timestamptz,
  torn_down_at timestamptz,
  removed_at timestamptz,
  ${DUE_ROW}
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
create unique index domains_one_a_name on domains (workspace_id, world, name)
  where removal_requested_at is null;
create index domains_newest on domains (workspace_id, world, created_at desc, id desc)
  where removal_requested_at is null;
create index domains_due on domains (next_at) where removed_at is null;
create index domains_by_name on domains (name);

create table claims (
  id uuid primary key,
  domain_id uuid not null unique references domains,
  workspace_id uuid not null references workspaces,
  world text not null,
  name text not null,
  nameservers text[] not null default '{}',
  points_at_pool boolean not null default false,
  shown_at timestamptz,
  released_at timestamptz,
  created_at timestamptz not null default now()
);
create index claims_of_a_name on claims (world, name);
create unique index claims_own_pair on claims (world, name, nameservers) where nameservers <> '{}';

create table holders (
  world text not null,
  name text not null,
  claim_id uuid not null references claims,
  epoch bigint not null default 1,
  since timestamptz not null default now(),
  primary key (world, name)
);
create index holders_of_a_claim on holders (claim_id);

create table conditions (
  domain_id uuid not null references domains on delete cascade,
  type text not null,
  verdict text not null,
  reason text,
  message text,
  since timestamptz not null,
  waited_ms bigint not null default 0,
  last_look_at timestamptz,
  last_look_error text,
  stalled_since timestamptz,
  next_look_at timestamptz,
  primary key (domain_id, type)
);

create table placements (
  claim_id uuid not null references claims,
  stage text not null,
  driver text not null,
  made_at timestamptz not null default now(),
  removed_at timestamptz,
  primary key (claim_id, stage)
);

create table records (
  id uuid primary key,
  domain_id uuid not null references domains on delete cascade,
  name text not null,
  type text not null,
  value text not null,
  ttl int not null,
  priority int,
  purpose text not null,
  status text not null default 'pending',
  observed text[] not null default '{}',
  message text not null default '',
  last_checked_at timestamptz,
  unique (domain_id, name, type, value)
);

create table zones (
  claim_id uuid primary key,
  world text not null,
  name text not null,
  nameservers text[] not null,
  rrsets jsonb not null default '[]',
  serial bigint not null default 1
);
create index zones_of_a_name on zones (name);

create table served_names (
  name text primary key,
  changed xid8 not null default pg_current_xact_id()
);
create index served_names_changed on served_names (changed);

create table dkim_keypairs (
  id uuid primary key,
  private_key text not null,
  public_key text not null,
  created_at timestamptz not null default now()
);

create table sender_domains (
  claim_id uuid primary key,
  name text not null,
  selector text not null,
  private_key text not null,
  public_key text not null,
  created_at timestamptz not null default now()
);

create table mail_domains (
  claim_id uuid primary key,
  world text not null,
  name text not null,
  created_at timestamptz not null default now()
);
create index mail_domains_of_a_name on mail_domains (world, name);

create table mailboxes (
  claim_id uuid not null references mail_domains on delete cascade,
  localpart text not null,
  created_at timestamptz not null default now(),
  primary key (claim_id, localpart)
);

create table inboxes (
  id uuid primary key,
  workspace_id uuid not null references workspaces,
  world text not null,
  domain_id uuid not null references domains,
  localpart text not null,
  address text not null,
  display_name text not null,
  inbox_type text not null default 'COLDSEND_NATIVE',
  daily_limit int not null default 100,
  status text not null default 'ACTIVE',
  created_at timestamptz not null default now(),
  removed_at timestamptz
);
create unique index inboxes_one_an_address on inboxes (domain_id, localpart) where removed_at is null;
create index inboxes_newest on inboxes (workspace_id, world, created_at desc, id desc)
  where removed_at is null;

create table campaigns (
  id uuid primary key,
  workspace_id uuid not null references workspaces,
  world text not null,
  name text not null,
  status text not null default 'DRAFT',
  created_at timestamptz not null default now()
);

create table campaign_inboxes (
  campaign_id uuid not null references campaigns on delete cascade,
  inbox_id uuid not null references inboxes,
  primary key (campaign_id, inbox_id)
);
create index campaign_inboxes_of_an_inbox on campaign_inboxes (inbox_id);

create table threads (
  id uuid primary key,
  workspace_id uuid not null references workspaces,
  world text not null,
  inbox_id uuid not null references inboxes,
  lead_email text not null,
  subject text not null,
  thread_key text not null,
  last_message_preview text not null,
  last_message_at timestamptz not null,
  is_read boolean not null default false,
  is_starred boolean not null default false,
  category text,
  campaign_id uuid references campaigns,
  unique (inbox_id, thread_key)
);
create index threads_newest on threads (workspace_id, world, last_message_at desc, id desc);

create table messages (
  id uuid primary key,
  claim_id uuid not null,
  thread_id uuid references threads,
  localpart text not null,
  envelope_sender text not null,
  recipient text not null,
  author text not null,
  subject text not null,
  preview text not null,
  raw bytea not null,
  authentication jsonb not null,
  received_at timestamptz not null default now()
);
create index messages_of_a_mailbox on messages (claim_id, localpart, received_at);
create index messages_of_a_thread on messages (thread_id);

create table deliveries (
  id uuid primary key,
  claim_id uuid not null,
  world text not null,
  envelope_sender text not null,
  recipient text not null,
  raw bytea not null,
  state text not null default 'queued',
  last_reply text not null default '',
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  ${DUE_ROW}
) with (fillfactor = 80);
create index deliveries_due on deliveries (next_at) where state = 'queued';
create index deliveries_of_a_claim on deliveries (claim_id);

create table probes (
  id uuid primary key,
  domain_id uuid not null references domains on delete cascade,
  recipient text not null unique,
  fingerprint text not null,
  sent_at timestamptz,
  judged_at timestamptz,
  judgement jsonb
);
create index probes_of_a_domain on probes (domain_id, id desc);

create table events (
  id uuid primary key,
  workspace_id uuid not null references workspaces,
  domain_id uuid not null references domains on delete cascade,
  at timestamptz not null default now(),
  type text not null,
  stage text,
  message text not null,
  data jsonb not null default '{}'
);
create index events_of_a_domain on events (domain_id, id);

create table sandbox_delegations (
  name text primary key,
  nameservers text[] not null,
  ds text[] not null default '{}',
  published_at timestamptz not null
);

create table sandbox_outcomes (
  name text not null,
  stage text not null,
  outcome text not null,
  times_left int not null,
  primary key (name, stage)
);

create table sandbox_messages (
  id uuid primary key,
  envelope_sender text not null,
  recipient text not null,
  raw bytea not null,
  authentication jsonb not null,
  received_at timestamptz not null default now()
);
create index sandbox_messages_of_a_recipient on sandbox_messages (recipient, received_at);
`
