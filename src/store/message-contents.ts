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

/** A message with more is written alone: each that is written together with others is copied on the way. */
export const TOGETHER_OCTETS = 256 * 1024

/** Many contents as one parameter of a statement, and where each of them ends in it. */
export function joined(contents: readonly Uint8Array[]): { octets: Buffer; ends: number[] } {
  let end = 0
  const ends = contents.map(({ length }) => {
    end += length
    return end
  })
  return { octets: Buffer.concat(contents), ends }
}
