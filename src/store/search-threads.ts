/** Finds conversations by the words of their messages. */
import { type RawBuilder, sql } from 'kysely'
import type { Queryable } from './database.ts'
import type { Tenant } from './domains.ts'

/** Words in more messages than this are looked for in so many of the latest conversations, to bound the time. */
const FREQUENT = 2000
const LATEST = 2000

/** The conversations with a message of all these words. */
export async function threadsWith(
  db: Queryable,
  tenant: Tenant,
  words: readonly string[],
): Promise<readonly string[]> {
  if (words.length === 0) return []
  const query = sql`${[...words, whose(tenant)].map((word) => `'${word}'`).join(' & ')}::tsquery`
  const matching = sql<Found>`select distinct thread_id as id from messages where words @@ ${query}`
  const isFrequent = (await expectedRows(db, query)) > FREQUENT
  const { rows } = await (isFrequent ? latestOf(tenant, query) : matching).execute(db)
  return rows.map(({ id }) => id)
}

type Found = { id: string }

/** How many messages the planner expects to have the words. */
async function expectedRows(db: Queryable, query: RawBuilder<unknown>): Promise<number> {
  const { rows } = await sql<{ 'QUERY PLAN': [{ Plan: { 'Plan Rows': number } }] }>`
    explain (format json) select from messages where words @@ ${query}`.execute(db)
  return rows[0]!['QUERY PLAN'][0].Plan['Plan Rows']
}

/** Each of these conversations is looked up by its id: `offset` keeps the words out of that. */
const latestOf = ({ workspaceId, world }: Tenant, query: RawBuilder<unknown>): RawBuilder<Found> =>
  sql`
    select id from (
      select id from threads where workspace_id = ${workspaceId} and world = ${world}
       order by last_message_at desc, id desc limit ${LATEST}) latest
     where (select true from (select words from messages where thread_id = latest.id offset 0) own
             where own.words @@ ${query} limit 1)`

/** What stands among the words of each message of a tenant. No word of a text has its first character. */
const whose = ({ workspaceId, world }: Tenant): string => `@${workspaceId}${world}`

/** The words of a message as a column, from one text; in SQL with the columns of its tenant. */
export const wordsColumn = sql`
  array_to_tsvector(array_append(string_to_array(words, ' '), '@' || workspace_id || world))`
