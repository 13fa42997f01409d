import { type Kysely, sql } from 'kysely'

/** What kind of message each is, and what the last one received in a conversation was; conversations are archived. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table messages add column kind text not null default 'person';
      alter table threads
        add column kind text not null default 'person',
        add column archived_at timestamptz;
    `)
    .execute(db)
}
