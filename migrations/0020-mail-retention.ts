import { type Kysely, sql } from 'kysely'

/** Until when the mail of a removed domain is kept; that of domains removed earlier for ninety days more. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table domains add column mail_until timestamptz;
      update domains set mail_until = now() + interval '90 days' where removal_requested_at is not null;
      create index domains_by_end_of_mail on domains (mail_until) where mail_until is not null;
    `)
    .execute(db)
}
