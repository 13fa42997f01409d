import { type Kysely, sql } from 'kysely'

/** Several DKIM keys to a registration, each with its state; and every selector a name ever had. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
create table dkim_keys (
  claim_id uuid not null references sender_domains on delete cascade,
  selector text not null,
  -- Null once the key signs no more.
  private_key text,
  public_key text not null,
  state text not null check (state in ('pending', 'signing', 'retiring', 'revoked')),
  since timestamptz not null default now(),
  occasion text not null default 'routine' check (occasion in ('routine', 'compromise')),
  primary key (claim_id, selector),
  check (state not in ('pending', 'signing') or private_key is not null)
);
create unique index dkim_keys_one_pending on dkim_keys (claim_id) where state = 'pending';
create unique index dkim_keys_one_signing on dkim_keys (claim_id) where state = 'signing';

-- Outlives the registrations: a selector is never used again, not by another claim on the name either.
create table dkim_selectors (
  name text not null,
  selector text not null,
  primary key (name, selector)
);

insert into dkim_selectors (name, selector) select distinct name, selector from sender_domains;
insert into dkim_keys (claim_id, selector, private_key, public_key, state, since)
  select claim_id, selector, private_key, public_key, 'signing', created_at from sender_domains;
alter table sender_domains drop column selector, drop column private_key, drop column public_key;
`
