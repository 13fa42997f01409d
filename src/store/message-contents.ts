/** The octets of messages, stored once for equal messages, deleted with the last of these. */
import { type RawBuilder, sql } from 'kysely'

/**
 * Deletes the octets that messages need no more. Follows a `with` whose `gone` has the `id` and the former
 * `content_id` of those messages.
 */
export const deleteUnusedContents: RawBuilder<unknown> = sql`
  delete from message_contents c where c.id in (select content_id from gone)
     and not exists (select from messages m
                      where m.content_id = c.id and m.id not in (select id from gone))
     and not exists (select from outgoing_messages o
                      where o.content_id = c.id and o.id not in (select id from gone))`

/** A larger message is written alone: writing messages together copies each. */
export const MAX_BATCHED_OCTETS = 256 * 1024

/** Many contents as one parameter of a statement, and the offset where each ends. */
export function concatenated(contents: readonly Uint8Array[]): { octets: Buffer; ends: number[] } {
  let end = 0
  const ends = contents.map(({ length }) => {
    end += length
    return end
  })
  return { octets: Buffer.concat(contents), ends }
}
