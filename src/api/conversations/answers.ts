/** The shapes of answers about conversations. */
import { z } from 'zod'
import { KINDS } from '#mail/incoming/kind.ts'
import { answerFields, instant } from '../openapi/parts.ts'
import { components } from '../openapi/schema.ts'

const results = z
  .object({ spf: z.string(), dkim: z.string(), dmarc: z.string() })
  .register(components, { id: 'AuthenticationResults' })

const kind = z.enum(KINDS)

const conversationFields = {
  thread_id: z.uuid(),
  inbox_id: z.uuid(),
  lead_email: z
    .string()
    .describe('The author of its messages; empty if they name none, or several.'),
  authentication: results
    .nullable()
    .describe(
      'The authentication results of the last message received. Only `dmarc` is about the author.',
    ),
  subject: z.string(),
  last_message_preview: z.string(),
  last_message_at: instant,
  is_read: z.boolean(),
  is_starred: z.boolean(),
  category: z.string().nullable(),
  campaign_id: z.uuid().nullable(),
  kind: kind.describe('Of the last message received.'),
  is_archived: z.boolean().describe('Whether it was archived, or its inbox or its domain removed.'),
  archived_domain_name: z.string().nullable(),
  archived_inbox_email: z.string().nullable(),
  archived_at: instant.nullable(),
}

export const conversationList = z
  .object({
    ...answerFields,
    conversations: z.array(
      z.object(conversationFields).register(components, { id: 'Conversation' }),
    ),
    total_count: z.int(),
    unread_count: z.int(),
    page: z.int(),
    limit: z.int(),
    total_pages: z.int(),
    has_next: z.boolean(),
    has_prev: z.boolean(),
  })
  .register(components, { id: 'ConversationList' })

export const conversationShown = z
  .object({ ...answerFields, ...conversationFields })
  .register(components, { id: 'ConversationShown' })

const attachment = z
  .object({
    attachment_id: z.string().describe('Its place in the message. Its path ends with it.'),
    filename: z.string().describe('Without folders; empty if the message names none.'),
    content_type: z.string().describe('As the message says; nobody has checked it.'),
    octets: z.int(),
    disposition: z.enum(['inline', 'attachment']),
    content_id: z.string().nullable().describe('What `cid:` in the HTML refers to.'),
  })
  .register(components, { id: 'Attachment' })

const message = z
  .object({
    message_id: z.uuid(),
    direction: z.enum(['received', 'sent']),
    author: z.string(),
    recipient: z.string(),
    kind: kind.nullable().describe('Null for a message that was sent.'),
    subject: z.string(),
    text: z.string().nullable().describe('Null if it could not be read in time.'),
    is_cut: z.boolean().describe('Whether the message has more text.'),
    html: z
      .string()
      .nullable()
      .describe(
        'Its HTML, made safe to show: no scripts, and nothing from other hosts. `cid:` stands for the attachment with that `content_id`. Null without HTML.',
      ),
    is_html_cut: z.boolean().describe('Whether the message has more HTML.'),
    blocked_images: z.int().describe('Images at other hosts, taken out of the HTML.'),
    attachments: z
      .array(attachment)
      .describe('The first 100; `attachment_count` counts those beyond, too.'),
    attachment_count: z.int().nullable().describe('Null if the message could not be read in time.'),
    authentication: results.nullable().describe('Null for a message that was sent.'),
    outgoing_message_id: z.uuid().nullable().describe('Of `GET /messages/{message_id}`.'),
    state: z.string().nullable().describe('Of a message that was sent, for 30 days.'),
    at: instant,
  })
  .register(components, { id: 'ConversationMessage' })

export const messagesShown = z
  .object({ ...answerFields, thread_id: z.uuid(), messages: z.array(message) })
  .register(components, { id: 'ConversationMessages' })

export const replySent = z
  .object({
    ...answerFields,
    thread_id: z.uuid(),
    outgoing_message_id: z.uuid(),
    message_id: z.string().describe('Its Message-ID.'),
    recipient_email: z.string(),
    authentication: results
      .nullable()
      .describe('Of the message that is answered: whether its author is who it names.'),
    sent_at: instant,
  })
  .register(components, { id: 'ReplySent' })
