/**
 * The shapes of answers about inboxes and conversations, for OpenAPI and clients. They do not serialise
 * answers: tests check that answers have these shapes.
 */
import { z } from 'zod'
import { answerFields, instant, pagination } from '../openapi/parts.ts'
import { components } from '../openapi/schema.ts'

const inboxFields = {
  ...answerFields,
  inbox_id: z.uuid(),
  email_address: z.string(),
  display_name: z.string(),
  inbox_type: z.enum(['COLDSEND_NATIVE', 'GOOGLE_WORKSPACE', 'OUTLOOK_365', 'CUSTOM_SMTP']),
  daily_limit: z.int(),
  overall_status: z.enum(['PENDING', 'ACTIVE', 'PAUSED', 'DISABLED']),
  problem: z
    .object({ reason: z.string(), message: z.string() })
    .nullable()
    .describe('Why a service refuses its mailbox, or its right to send.'),
  domain_id: z.uuid().nullable(),
  created_at: instant,
}
const logIn = z.object({ host: z.string(), port: z.int(), tls: z.string() })

export const inboxCreated = z
  .object({
    ...inboxFields,
    credentials: z
      .object({
        username: z.string(),
        password: z.string(),
        imap: logIn.nullable(),
        smtp: logIn,
      })
      .nullable()
      .describe('The password, shown once; null if the mailbox has no login.'),
  })
  .register(components, { id: 'SenderAccountCreated' })

export const inboxList = z
  .object({
    ...answerFields,
    sender_accounts: z.array(z.object(inboxFields).register(components, { id: 'SenderAccount' })),
    pagination,
  })
  .register(components, { id: 'SenderAccountList' })

export const testEmail = z
  .object({
    ...answerFields,
    inbox_id: z.uuid(),
    inbox_email: z.string(),
    recipient_email: z.string(),
    sent_at: instant,
    message_id: z.string(),
  })
  .register(components, { id: 'TestEmail' })

const conversation = z
  .object({
    thread_id: z.uuid(),
    inbox_id: z.uuid(),
    lead_email: z
      .string()
      .describe('The author of its messages; empty if they name none, or several.'),
    authentication: z
      .object({ spf: z.string(), dkim: z.string(), dmarc: z.string() })
      .nullable()
      .describe(
        'The authentication results of the last message. Only `dmarc` is about the author.',
      ),
    subject: z.string(),
    last_message_preview: z.string(),
    last_message_at: instant,
    is_read: z.boolean(),
    is_starred: z.boolean(),
    category: z.string().nullable(),
    campaign_id: z.uuid().nullable(),
    is_archived: z.boolean().describe('Whether its domain has been removed.'),
    archived_domain_name: z.string().nullable(),
    archived_inbox_email: z.string().nullable(),
    archived_at: instant.nullable(),
  })
  .register(components, { id: 'Conversation' })

export const conversationList = z
  .object({
    ...answerFields,
    conversations: z.array(conversation),
    total_count: z.int(),
    unread_count: z.int(),
    page: z.int(),
    limit: z.int(),
    total_pages: z.int(),
    has_next: z.boolean(),
    has_prev: z.boolean(),
  })
  .register(components, { id: 'ConversationList' })
