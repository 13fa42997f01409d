/** The octets of messages, which stand once for all messages that have them, and go with the last of these. */
import { type RawBuilder, sql } from 'kysely'

/**
 * A statement that deletes the octets of messages that need them no more. It stands behind a `with` in which
 * `gone` names those messages: their `id`, and the `content_id` that they had.
 */
export const dropContentsOfGone: RawBuilder<unknown> = sql`
  delete from message_contents c where c.id in (select content_id from gone)
     and not exists (select from messages m
                      where m.content_id = c.id and m.id not in (select id from gone))
     and not exists (select from outgoing_messages o
                      where o.content_id = c.id and o.id not in (select id from gone))`
