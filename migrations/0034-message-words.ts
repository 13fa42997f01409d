import { type Kysely, sql } from 'kysely'

/**
 * The words by which messages are found, and among them whose message it is: so one index serves a workspace of
 * any size. Few words wait to be written to it, because each search reads those. Older messages are found by what
 * lists show of them.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql
    .raw(`
      alter table messages add column words tsvector;
      update messages m set words = array_to_tsvector(array_append(
          array(select distinct left(word, 64)
                  from regexp_split_to_table(lower(concat_ws(' ', m.author, m.subject, m.preview)), '[^[:alnum:]]+') word
                 where word <> ''), '@' || t.workspace_id || t.world))
        from threads t where t.id = m.thread_id;
      create index messages_by_words on messages using gin (words) with (gin_pending_list_limit = 256);
    `)
    .execute(db)
}
