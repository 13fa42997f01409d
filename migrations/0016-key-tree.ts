import { type Kysely, sql } from 'kysely'

/** Each key knows which key made it, so that those that came of one can be revoked with it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql.raw(CHANGES).execute(db)
}

const CHANGES = `
-- Null where no key made it: at the command line, at the first start, and before this column.
-- No reference to api_keys: the bootstrap key is not there.
alter table api_keys add column created_by_key_id uuid;
create index api_keys_made_by_a_key on api_keys (created_by_key_id)
  where created_by_key_id is not null;
`
