/** Every event that customers see, with the shape of its data. No other events are written. */
import { z } from 'zod'

const none = z.object({})
const id = z.string().describe('UUID')
const selector = z.string().describe('Of the key, in the domain’s `_domainkey`')
const host = z.string()

/** Of a message that was sent. */
const outgoing = z.object({
  message_id: id.describe('As in `GET /messages/{message_id}`'),
  inbox_id: id.nullable().describe('Null where it was not sent from an inbox'),
  recipient: z.string(),
  reply: z.string().describe('What the other side said'),
})

const inbox = z.object({ inbox_id: id, address: z.string() })
const key = z.object({ key_id: id, name: z.string() })

// biome-ignore format: a table
export const EVENTS = {
  'domain.created':       [none, 'A domain was added.'],
  'domain.delegated':     [none, 'The parent delegates the domain to its nameservers.'],
  'domain.active':        [none, 'A domain became `ACTIVE`.'],
  'domain.failed':        [none, 'Setting up a domain failed, or it has been without something for too long.'],
  'domain.retried':       [none, 'A retry was asked for.'],
  'domain.degraded':      [z.object({ condition: z.string(), reason: z.string() }), 'An active domain lacks something that it had. `condition` is the first that is not met.'],
  'domain.recovered':     [none, 'An active domain that lacked something has everything again.'],
  'domain.deleted':       [none, 'A domain was deleted; what it has at services is being removed.'],
  'domain.removed':       [none, 'Nothing of a deleted domain is left at any service.'],
  'stage.waiting':        [none, 'A condition waits.'],
  'stage.met':            [none, 'A condition is met.'],
  'stage.failed':         [none, 'A condition failed.'],
  'stage.not_applicable': [none, 'A condition does not apply to the domain.'],
  'stage.removed':        [none, 'What a stage had made was removed.'],
  'stage.abandoned':      [none, 'The operator gave up a removal at a service: something may be left there.'],
  'delegation.seen':      [z.object({ verdict: z.string(), observed: z.array(host) }), 'The parent shows something else than before.'],
  'import.left_out':      [none, 'Records were found that could not be imported.'],
  'import.flattened':     [none, 'An alias was imported as the addresses behind it.'],
  'record.repaired':      [z.object({ name: z.string(), type: z.string() }), 'Mailstead restored a record that was changed or removed outside of it.'],
  'spf.include_broken':   [none, 'An SPF policy that the customer’s own includes does not work.'],
  'dkim.begun':           [z.object({ selector, occasion: z.enum(['routine', 'compromise']) }), 'A new DKIM key is being published.'],
  'dkim.rotated':         [z.object({ selector }), 'Mail is signed with a new DKIM key.'],
  'redirect.set':         [none, 'A redirect was set or changed.'],
  'redirect.deleted':     [none, 'A redirect was deleted.'],
  'redirect.refused':     [none, 'The host of the zone does not take the redirect.'],
  'inbox.created':        [inbox, 'An inbox was added.'],
  'inbox.ready':          [inbox, 'An inbox can be used.'],
  'inbox.refused':        [inbox.extend({ reason: z.string() }), 'A service refused the mailbox of an inbox, or its right to send.'],
  'inbox.deleted':        [inbox, 'An inbox was deleted.'],
  'message.received':     [z.object({ inbox_id: id, reply_id: id.describe('Of the conversation'), from: z.string() }), 'A message came in for an inbox.'],
  'message.sent':         [outgoing, 'The recipient’s server, or the sender service, took a message.'],
  'message.delivered':    [outgoing, 'A report says that a message arrived.'],
  'message.failed':       [outgoing, 'A message was refused for good, or given up.'],
  'message.bounced':      [outgoing, 'A report says that a message could not be delivered.'],
  'message.complained':   [outgoing, 'A report says that the recipient complained about a message.'],
  'message.unknown':      [outgoing, 'Nobody knows whether a message arrived, and it is not sent again.'],
  'key.created':          [key, 'An API key was made.'],
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
