/** The fields of the API's answers that the demo reads. */
import { z } from 'zod'

export const ADDED = z.object({
  domain_id: z.uuid(),
  domain_name: z.string(),
  status: z.string(),
  nameservers: z.array(z.string()),
  created_at: z.string(),
})

const CONDITION = z.object({
  type: z.string(),
  status: z.enum(['met', 'waiting', 'failed', 'not_applicable', 'unknown']),
  message: z.string(),
  since: z.string().nullable(),
})

const RECORD = z.object({
  type: z.enum(['MX', 'TXT']),
  name: z.string(),
  value: z.string(),
  priority: z.number().nullable(),
  purpose: z.string(),
})

export const DOMAIN = z.object({
  status: z.string(),
  created_at: z.string(),
  activated_at: z.string().nullable(),
  conditions: z.array(CONDITION),
  dns_records: z.array(RECORD),
  sending: z.object({ allowed: z.boolean(), reason: z.string().nullable() }),
})

export const DOMAINS = z.object({ domains: z.array(z.object({ domain_name: z.string() })) })

export const PUBLISHED = z.object({ published_at: z.string() })

export const INBOX = z.object({
  inbox_id: z.uuid(),
  email_address: z.string(),
  overall_status: z.string(),
})

export const INBOXES = z.object({
  sender_accounts: z.array(z.object({ email_address: z.string() })),
})

export const OUTSIDE_MAIL = z.object({
  messages: z.array(
    z.object({
      from: z.string(),
      to: z.string(),
      subject: z.string(),
      text: z.string(),
      authentication: z.object({ spf: z.string(), dkim: z.string(), dmarc: z.string() }),
    }),
  ),
})

export const REPLIES = z.object({
  unread_count: z.number(),
  conversations: z.array(
    z.object({ lead_email: z.string(), subject: z.string(), last_message_preview: z.string() }),
  ),
})

export const REMOVAL = z.object({
  state: z.string(),
  steps: z.array(z.object({ state: z.string() })),
})

export const ANYTHING = z.unknown()

export type Added = z.infer<typeof ADDED>
export type Domain = z.infer<typeof DOMAIN>
export type Condition = z.infer<typeof CONDITION>
export type DnsRecord = z.infer<typeof RECORD>
export type Inbox = z.infer<typeof INBOX>
