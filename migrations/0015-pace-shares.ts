import { type Kysely, sql } from 'kysely'

/** Which process may put what part of the questions that others' servers are asked, and until when. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      create table pace_shares (
        process uuid primary key,
        share double precision not null check (share between 0 and 1),
        until timestamptz not null
      )`)
    .execute(db)
}
