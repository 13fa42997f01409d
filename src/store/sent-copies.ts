/** The copies of sent messages in their conversations. */
import { sql } from 'kysely'
import { NOT_CHECKED } from '#mail/incoming/results.ts'
import type { SentCopy } from '#mail/outgoing/mail.ts'
import { newId } from '../ids.ts'
import type { Queryable } from './database.ts'
import { wordsColumn } from './search-threads.ts'

/**
 * Adds the accepted messages with these ids to their conversations; in the transaction that accepts them. A copy shares the
 * octets of its message, and counts as mail of the inbox.
 */
export async function insertSentCopies(
  tx: Queryable,
  copies: readonly (SentCopy & { outgoingId: string })[],
): Promise<void> {
  if (copies.length === 0) return
  const column = <T>(of: (copy: (typeof copies)[number]) => T) => copies.map(of)
  await sql`
    with copies as (
      select c.*, m.workspace_id, m.world, m.claim_id, m.content_id, m.author, m.recipient, split_part(m.author, '@', 1) as localpart
        from unnest(
          ${column(() => newId())}::uuid[], ${column(({ outgoingId }) => outgoingId)}::uuid[],
          ${column(({ threadId }) => threadId)}::uuid[], ${column(({ subject }) => subject)}::text[],
          ${column(({ preview }) => preview)}::text[], ${column(({ words }) => words.join(' '))}::text[])
          as c (id, outgoing_id, thread_id, subject, preview, words)
        join outgoing_messages m on m.id = c.outgoing_id
    ), counted as (
      insert into mail_usage (claim_id, localpart, octets)
      select claim_id, localpart, sum(t.octets)
        from copies join message_contents t on t.id = copies.content_id group by 1, 2 order by 1, 2
      on conflict (claim_id, localpart) do update set octets = mail_usage.octets + excluded.octets
    ), joined as (
      update threads t
         set last_message_preview = copies.preview, last_message_at = now(), is_read = true
        from copies where t.id = copies.thread_id)
    insert into messages (id, claim_id, thread_id, localpart, envelope_sender, recipient, author, subject,
        preview, content_id, trace, authentication, outgoing_id, words)
    select id, claim_id, thread_id, localpart, author, recipient, author, subject, preview, content_id, '',
           ${JSON.stringify(NOT_CHECKED)}::jsonb, outgoing_id, ${wordsColumn}
      from copies`.execute(tx)
}
