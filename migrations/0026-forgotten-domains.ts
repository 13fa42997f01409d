import { type Kysely, sql } from 'kysely'

/** The row of a domain that was removed long ago goes; the pairs of its claim stay, so that no claim gets them again. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table claims alter column domain_id drop not null;
      create index domains_by_removal on domains (removed_at) where removed_at is not null;
      create index inboxes_of_a_domain on inboxes (domain_id);
    `)
    .execute(db)
}
