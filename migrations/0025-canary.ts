import { type Kysely, sql } from 'kysely'

/** One row, sealed with the secret key of the installation, which every start opens; and written to say that writing works. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      create table canary (
        is_only boolean primary key default true check (is_only),
        sealed text not null,
        written_at timestamptz not null default now()
      );
    `)
    .execute(db)
}
