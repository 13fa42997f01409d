/** Stores incoming messages; simultaneous ones in one statement. */
import { sql } from 'kysely'
import type { StoredContent } from '#mail/content.ts'
import type { Copy } from '#mail/incoming/receive.ts'
import { batched, togetherOrAlone } from '../batched.ts'
import { newId } from '../ids.ts'
import type { StoreContext } from './context.ts'
import { type Database, perDatabase } from './database.ts'
import { insertEvents, NEW_ID } from './events.ts'
import { DOVECOT } from './mailbox-copies.ts'
import { concatenated, MAX_BATCHED_OCTETS } from './message-contents.ts'
import { wordsColumn } from './search-threads.ts'

type Arrived = { content: StoredContent; copies: readonly Copy[] }

const TOGETHER = { atOnce: 50, withinMs: 0, underWay: 2 }

/** Stores the content once and every copy of it, or nothing. */
export async function keepMessage(
  { db }: StoreContext,
  content: StoredContent,
  copies: readonly Copy[],
): Promise<void> {
  const arrived = { content, copies }
  if (content.content.length > MAX_BATCHED_OCTETS) return keepAll(db, [arrived])
  const failure = await keeperOf(db)(arrived)
  if (failure) throw failure
}

const keeperOf = perDatabase((db) =>
  batched<Arrived, Error | undefined>(TOGETHER, (all) =>
    togetherOrAlone(all, async (some) => {
      await keepAll(db, some)
      return some.map(() => undefined)
    }),
  ),
)

/**
 * If the address has an inbox, a copy joins or begins a conversation of it. Rows with other writers are
 * written in one order, to avoid deadlocks.
 */
async function keepAll(db: Database, arrived: readonly Arrived[]): Promise<void> {
  const contents = arrived.map(({ content }) => content)
  const contentIds = arrived.map(() => newId())
  const { octets, ends } = concatenated(contents.map(({ content }) => content))
  const copies = arrived.flatMap(({ copies: all }, index) =>
    all.map((copy) => ({ ...copy, contentId: contentIds[index]! })),
  )
  const column = <T>(of: (copy: (typeof copies)[number]) => T) => copies.map(of)
  await sql`
    with content as (
      insert into message_contents (id, encoding, octets, content)
      select id, encoding, octets, substring(${octets}::bytea from ends - length + 1 for length)
        from unnest(
          ${contentIds}::uuid[], ${contents.map(({ encoding }) => encoding)}::text[],
          ${contents.map((one) => one.octets)}::bigint[], ${ends}::int[],
          ${contents.map(({ content }) => content.length)}::int[]) as c (id, encoding, octets, ends, length)
      returning id, octets
    ), copies as (
      select copies.*, i.id as inbox_id, i.workspace_id, i.world, d.mailbox_driver
        from unnest(
          ${column(() => newId())}::uuid[], ${column(() => newId())}::uuid[],
          ${column(({ claimId }) => claimId)}::uuid[], ${column(({ localpart }) => localpart)}::text[],
          ${column(({ envelopeSender }) => envelopeSender)}::text[],
          ${column(({ recipient }) => recipient)}::text[], ${column(({ author }) => author)}::text[],
          ${column(({ correspondent }) => correspondent)}::text[],
          ${column(({ subject }) => subject)}::text[], ${column(({ preview }) => preview)}::text[],
          ${column(({ kind }) => kind)}::text[], ${column(({ words }) => words.join(' '))}::text[],
          ${column(({ threadKey }) => threadKey)}::text[], ${column(({ contentId }) => contentId)}::uuid[],
          ${column(({ trace }) => trace)}::text[],
          ${column(({ authentication }) => JSON.stringify(authentication))}::jsonb[])
          with ordinality as copies (id, new_thread_id, claim_id, localpart, envelope_sender, recipient, author,
            correspondent, subject, preview, kind, words, thread_key, content_id, trace, authentication, place)
        left join claims c on c.id = copies.claim_id
        left join domains d on d.id = c.domain_id
        left join inboxes i on i.domain_id = c.domain_id and i.localpart = copies.localpart and i.removed_at is null
    ), latest as (
      select distinct on (inbox_id, thread_key) * from copies where inbox_id is not null
       order by inbox_id, thread_key, place desc
    ), joined as (
      insert into threads (id, workspace_id, world, inbox_id, lead_email, subject, thread_key,
          last_message_preview, last_message_at, last_authentication, is_read, kind)
      select new_thread_id, workspace_id, world, inbox_id, correspondent, subject, thread_key,
             preview, now(), authentication, false, kind
        from latest order by inbox_id, thread_key
      on conflict (inbox_id, thread_key) do update
         set last_message_preview = excluded.last_message_preview, last_message_at = excluded.last_message_at,
             last_authentication = excluded.last_authentication, is_read = false,
             kind = excluded.kind, archived_at = null
      returning id, inbox_id, thread_key
    ), counted as (
      insert into mail_usage (claim_id, localpart, octets)
      select claim_id, localpart, sum(content.octets)
        from copies join content on content.id = copies.content_id
       where claim_id is not null group by 1, 2 order by 1, 2
      on conflict (claim_id, localpart) do update set octets = mail_usage.octets + excluded.octets
    ), new_events as (
      ${insertEvents(sql`
        select ${NEW_ID}, workspace_id, world, null::uuid, 'message.received', null,
               'A message from ' || coalesce(nullif(author, ''), 'an unknown author') || ' came in for ' ||
                 coalesce(recipient, localpart) || '.',
               jsonb_build_object('inbox_id', inbox_id, 'reply_id', joined.id, 'from', author, 'kind', kind)
          from copies join joined using (inbox_id, thread_key)`)}
    ), shown as (
      insert into mailbox_copies (id, inbox_id)
      select id, inbox_id from copies where inbox_id is not null and mailbox_driver = ${DOVECOT}
    )
    insert into messages (id, claim_id, thread_id, localpart, envelope_sender, recipient, author, subject,
        preview, kind, content_id, trace, authentication, words)
    select copies.id, claim_id, joined.id, localpart, envelope_sender, recipient, author, subject, preview, kind,
           content_id, trace, authentication, case when inbox_id is not null then ${wordsColumn} end
      from copies left join joined using (inbox_id, thread_key)
     order by place`.execute(db)
}
