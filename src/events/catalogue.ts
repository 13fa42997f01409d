/** Every event that customers see, with the shape of its data. No other events are written. */
import { z } from 'zod'

const none = z.object({})
const id = z.string().describe('A UUID')
const selector = z.string().describe('The selector of the key, below the domain’s `_domainkey`')
const host = z.string()

/** Of a message that was sent. */
const outgoing = z.object({
  message_id: id.describe('The id of `GET /messages/{message_id}`'),
  inbox_id: id.nullable().describe('Null if no inbox sent it'),
  recipient: z.string(),
  reply: z.string().describe('The reply of the other host'),
})

const kind = z
  .enum(['person', 'automatic', 'bounce', 'complaint', 'report'])
  .describe('Who wrote it: a person, or a program. Older events lack it.')

const inbox = z.object({ inbox_id: id, address: z.string() })
const pauseReason = z
  .enum(['user', 'bounce_rate', 'complaint_rate'])
  .optional()
  .describe('`user`: by a request; otherwise too much of its mail came back, or drew complaints')
const key = z.object({ key_id: id, name: z.string() })

// biome-ignore format: a table
export const EVENTS = {
  'domain.created':       [none, 'A domain was added.'],
  'domain.delegated':     [none, 'The parent delegates the domain to its nameservers.'],
  'domain.active':        [none, 'A domain became `ACTIVE`.'],
  'domain.failed':        [none, 'A stage of the domain failed, or an active domain lost a condition for longer than its grace.'],
  'domain.retried':       [none, 'Somebody requested a retry.'],
  'domain.degraded':      [z.object({ condition: z.string(), reason: z.string() }), 'An active domain lost a condition. `condition` is the first that is not met.'],
  'domain.recovered':     [none, 'A degraded domain meets all its conditions again.'],
  'domain.deleted':       [none, 'A domain was deleted; Mailstead removes it from its services.'],
  'domain.removed':       [none, 'A deleted domain is removed from all its services.'],
  'stage.waiting':        [none, 'A condition waits.'],
  'stage.met':            [none, 'A condition is met.'],
  'stage.failed':         [none, 'A condition failed.'],
  'stage.not_applicable': [none, 'A condition does not apply to the domain.'],
  'stage.removed':        [none, 'Mailstead removed what a stage had created.'],
  'stage.abandoned':      [none, 'The operator gave up the removal at a service: objects may be left there.'],
  'delegation.seen':      [z.object({ verdict: z.string(), observed: z.array(host) }), 'The parent shows another delegation than before.'],
  'import.left_out':      [none, 'The import left out records that the zone host cannot hold.'],
  'import.flattened':     [none, 'The import replaced a CNAME at the apex by the records of its target.'],
  'record.repaired':      [z.object({ name: z.string(), type: z.string() }), 'Mailstead restored a record that was changed or removed at the zone host.'],
  'spf.include_broken':   [none, 'An SPF policy that the customer’s own policy includes is broken.'],
  'dkim.begun':           [z.object({ selector, occasion: z.enum(['routine', 'compromise']) }), 'Mailstead publishes a new DKIM key.'],
  'dkim.rotated':         [z.object({ selector }), 'A new DKIM key signs the mail of the domain.'],
  'redirect.set':         [none, 'A redirect was set or changed.'],
  'redirect.deleted':     [none, 'A redirect was deleted.'],
  'redirect.refused':     [none, 'The zone host refused the redirect.'],
  'inbox.created':        [inbox, 'An inbox was added.'],
  'inbox.ready':          [inbox, 'An inbox can send and receive.'],
  'inbox.refused':        [inbox.extend({ reason: z.string() }), 'A service refused the mailbox or the identity of an inbox.'],
  'inbox.paused':         [inbox.extend({ reason: pauseReason }), 'An inbox was paused: its messages wait.'],
  'inbox.resumed':        [inbox, 'A paused inbox was resumed.'],
  'inbox.deleted':        [inbox, 'An inbox was deleted.'],
  'inbox.password_created': [inbox.extend({ password_id: z.string(), name: z.string() }), 'An app password of an inbox was created.'],
  'inbox.password_revoked': [inbox.extend({ password_id: z.string(), name: z.string() }), 'An app password of an inbox was revoked.'],
  'message.received':     [z.object({ inbox_id: id, reply_id: id.describe('The id of the conversation'), from: z.string(), kind: kind.optional() }), 'An inbox received a message.'],
  'message.sent':         [outgoing, 'The recipient’s exchanger, or the sender service, accepted a message.'],
  'message.delivered':    [outgoing, 'A report says that a message was delivered.'],
  'message.failed':       [outgoing, 'The other host refused a message permanently, or Mailstead gave it up.'],
  'message.bounced':      [outgoing, 'A report says that a message could not be delivered.'],
  'message.complained':   [outgoing, 'A report says that the recipient complained about a message.'],
  'message.unknown':      [outgoing, 'No reply came for a message: it may have arrived, and is not sent again.'],
  'suppression.added':    [z.object({ suppression_id: id, address: z.string().nullable(), reason: z.string() }), 'The workspace sends no more mail to an address.'],
  'key.created':          [key, 'An API key was created.'],
  'key.revoked':          [key, 'An API key was revoked.'],
} as const satisfies Record<string, readonly [data: z.ZodObject, says: string]>

export type EventType = keyof typeof EVENTS
export type EventData<T extends EventType> = z.infer<(typeof EVENTS)[T][0]>

/** `message` is a sentence for people; `stage` the condition that the event is about. */
export type NewEvent = {
  [T in EventType]: { type: T; message: string; stage?: string } & (EventData<T> extends Record<
    string,
    never
  >
    ? { data?: EventData<T> }
    : { data: EventData<T> })
}[EventType]

export const EVENT_TYPES = Object.keys(EVENTS) as readonly EventType[]
