/** The shapes of events. */
import { z } from 'zod'
import { EVENTS, type EventType } from '#events/catalogue.ts'
import { answerFields, instant } from '../openapi/parts.ts'
import { components } from '../openapi/schema.ts'

const common = {
  event_id: z.uuid(),
  at: instant,
  domain_id: z
    .uuid()
    .nullable()
    .describe('Null for events that are not about a domain, and for events of messages'),
  stage: z.string().nullable().describe('The condition that the event is about'),
  message: z.string().describe('A sentence for people'),
}

const shapes = Object.entries(EVENTS).map(([type, [data, says]]) =>
  z.object({ type: z.literal(type as EventType).describe(says), data, ...common }),
)

export const event = z
  .discriminatedUnion('type', shapes as [(typeof shapes)[0], ...typeof shapes])
  .register(components, { id: 'Event' })

export const timeline = z
  .object({ ...answerFields, events: z.array(event), next_cursor: z.uuid().nullable() })
  .register(components, { id: 'Timeline' })

export const feed = z
  .object({
    ...answerFields,
    events: z.array(event),
    next_after: z.string().describe('Send it as `after` to read the next page'),
  })
  .register(components, { id: 'Feed' })
