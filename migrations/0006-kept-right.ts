import { type Kysely, sql } from 'kysely'

/** What keeps a domain right, and lists quick: when it was looked at, records of the customer's, indexes. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
alter table domains
  add column looked_at timestamptz,
  add column next_look_at timestamptz,
  add column accepts_drops boolean not null default false,
  add column import_state text not null default 'none',
  add column take_mail boolean not null default false;

create table customer_records (
  id uuid primary key,
  domain_id uuid not null references domains on delete cascade,
  name text not null,
  type text not null,
  value text not null,
  ttl int not null,
  origin text not null check (origin in ('added', 'imported')),
  removed_at timestamptz,
  created_at timestamptz not null default now()
);
create unique index customer_records_one_a_value on customer_records (domain_id, name, type, value)
  where removed_at is null;

create index domains_fresh on domains (next_at) where removed_at is null and epoch = 0;
create index deliveries_fresh on deliveries (next_at) where state = 'queued' and epoch = 0;

create index domains_by_status on domains (workspace_id, world, status, created_at desc, id desc)
  where removal_requested_at is null;
create index events_of_a_domain_newest on events (domain_id, id desc);

-- A search for a part of a name; without the extension, which comes with Postgres, it reads every name.
do $$ begin
  create extension if not exists pg_trgm;
  create index domains_by_part_of_name on domains using gin (name gin_trgm_ops);
exception when others then
  raise notice 'searching for parts of names will be slow: %', sqlerrm;
end $$;
`
