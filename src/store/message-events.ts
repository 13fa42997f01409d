/** The events of messages whose state has changed. */
import { type RawBuilder, sql } from 'kysely'
import { insertEvents, NEW_ID } from './events.ts'

/** The columns of `outgoing_messages m` that `insertMessageEvents` and `suppressRecipients` need. */
export const MESSAGE_EVENT_COLUMNS: RawBuilder<unknown> = sql`
  m.id, m.workspace_id, m.world, m.inbox_id, m.recipient, m.origin, m.state, m.last_reply,
  m.recipient_hash`

/**
 * Inserts an event for each message in the CTE `changed`, except for probes that were delivered.
 */
export const insertMessageEvents: RawBuilder<unknown> = insertEvents(sql`
  select ${NEW_ID}, workspace_id, world, null::uuid, 'message.' || state, null,
         case state
           when 'sent' then 'A message to ' || recipient || ' was sent.'
           when 'delivered' then 'A message to ' || recipient || ' arrived.'
           when 'bounced' then 'A message to ' || recipient || ' came back.'
           when 'complained' then recipient || ' complained about a message.'
           when 'unknown' then 'Whether a message to ' || recipient || ' arrived is not known.'
           else 'A message to ' || recipient || ' was not delivered.' end,
         jsonb_build_object('message_id', id, 'inbox_id', inbox_id, 'recipient', recipient, 'reply', last_reply)
    from changed
   where state <> 'deferred' and (origin <> 'probe' or state not in ('sent', 'delivered'))`)
