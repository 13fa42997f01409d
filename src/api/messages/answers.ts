/** The shapes of answers about outgoing messages. */
import { z } from 'zod'
import { answerFields, instant, pagination } from '../openapi/parts.ts'
import { components } from '../openapi/schema.ts'

export const OUTGOING_STATES = [
  'queued',
  'sent',
  'deferred',
  'delivered',
  'bounced',
  'complained',
  'failed',
  'cancelled',
  'unknown',
] as const

const messageFields = {
  id: z.uuid(),
  inbox_id: z.uuid().nullable().describe('The inbox that sends it, if any.'),
  origin: z.enum(['probe', 'test', 'reply', 'submission', 'campaign', 'dsn']),
  sender: z.string().describe('The envelope sender.'),
  recipient: z.string(),
  message_id: z.string().describe('Its Message-ID, in angle brackets.'),
  state: z
    .enum(OUTGOING_STATES)
    .describe(
      'The state of its delivery. `sent`: the next host accepted it. `delivered`: a report says that it was delivered.',
    ),
  last_reply: z.string().describe('The reply to the last attempt.'),
  created_at: instant,
  next_attempt_at: instant.nullable(),
  finished_at: instant.nullable(),
}

export const messageList = z
  .object({
    ...answerFields,
    messages: z.array(z.object(messageFields).register(components, { id: 'Message' })),
    pagination,
  })
  .register(components, { id: 'MessageList' })

export const messageShown = z
  .object({
    ...messageFields,
    attempts: z.array(
      z.object({
        number: z.int(),
        at: instant,
        host: z.string().describe('The host that the attempt reached.'),
        outcome: z.enum([
          'sent',
          'deferred',
          'failed',
          'unknown',
          'delivered',
          'bounced',
          'complained',
        ]),
        reply: z.string(),
        conversation: z
          .string()
          .nullable()
          .describe('The SMTP conversation, line by line, without secrets.'),
      }),
    ),
  })
  .register(components, { id: 'MessageShown' })
