import { type Kysely, sql } from 'kysely'

/** The operator's stop of all sending: one row while it lasts. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      create table sending_stops (
        one boolean primary key default true check (one),
        reason text not null,
        at timestamptz not null default now()
      );
    `)
    .execute(db)
}
