/**
 * The shapes of answers about inboxes, for OpenAPI and clients. They do not serialise
 * answers: tests check that answers have these shapes.
 */
import { z } from 'zod'
import { blocker } from '../domains/answers.ts'
import { answerFields, instant, pagination } from '../openapi/parts.ts'
import { components } from '../openapi/schema.ts'

const pause = z
  .object({
    reason: z.enum(['user', 'bounce_rate', 'complaint_rate']),
    message: z.string(),
    at: instant,
  })
  .nullable()
  .describe('Why a paused inbox is paused: by a request, or for its bounces or complaints.')

const inboxFields = {
  ...answerFields,
  inbox_id: z.uuid(),
  email_address: z.string(),
  display_name: z.string(),
  inbox_type: z.enum(['COLDSEND_NATIVE', 'GOOGLE_WORKSPACE', 'OUTLOOK_365', 'CUSTOM_SMTP']),
  daily_limit: z.int(),
  signature: z.string().describe('The plain text below its answers.'),
  overall_status: z.enum(['PENDING', 'ACTIVE', 'PAUSED', 'DISABLED']),
  problem: z
    .object({ reason: z.string(), message: z.string() })
    .nullable()
    .describe('Why a service refuses its mailbox, or its right to send.'),
  pause,
  domain_id: z.uuid().nullable(),
  created_at: instant,
}
const logIn = z.object({
  host: z.string(),
  port: z.int(),
  tls: z.enum(['implicit', 'starttls']).describe('TLS from the start, or by STARTTLS.'),
})
const logInServers = {
  imap: logIn.nullable().describe('Null if the mailbox service has no IMAP.'),
  smtp: logIn,
}

export const inboxCreated = z
  .object({
    ...inboxFields,
    credentials: z
      .object({
        username: z.string(),
        password: z.string(),
        ...logInServers,
      })
      .nullable()
      .describe('The password, shown once; null if mail programs cannot log in.'),
  })
  .register(components, { id: 'SenderAccountCreated' })

export const inboxList = z
  .object({
    ...answerFields,
    sender_accounts: z.array(z.object(inboxFields).register(components, { id: 'SenderAccount' })),
    pagination,
  })
  .register(components, { id: 'SenderAccountList' })

export const inboxShown = z.object(inboxFields).register(components, { id: 'SenderAccountShown' })

export const inboxRemoved = z
  .object({ ...answerFields, inbox_id: z.uuid() })
  .register(components, { id: 'SenderAccountDeleted' })

const outcome = {
  success: z.boolean(),
  error: z.string().nullable().describe('The code of the problem, or `invalid`; null on success.'),
  message: z.string(),
}

const addedRow = z
  .object({
    row: z.int().describe('Its place in the request, from 0.'),
    email_prefix: z.string(),
    inbox_id: z.uuid().nullable(),
    ...outcome,
  })
  .register(components, { id: 'BulkAddedRow' })

export const bulkAdded = z
  .object({
    ...answerFields,
    total: z.int(),
    success_count: z.int(),
    failed_count: z.int(),
    job_id: z.uuid(),
    results: z.array(addedRow),
  })
  .register(components, { id: 'BulkAdded' })

export const bulkProgress = z
  .object({
    ...answerFields,
    job: z.object({
      job_id: z.uuid(),
      status: z.enum(['IN_PROGRESS', 'COMPLETED']),
      progress_percentage: z.int(),
      total_rows: z.int(),
      processed_count: z.int(),
      success_count: z.int(),
      failed_count: z.int(),
      started_at: instant,
      results: z.array(addedRow),
    }),
  })
  .register(components, { id: 'BulkProgress' })

export const bulkDeleted = z
  .object({
    ...answerFields,
    total: z.int(),
    deleted_count: z.int(),
    failed_count: z.int(),
    skipped_count: z.int(),
    job_id: z.uuid(),
    results: z.array(z.object({ inbox_id: z.uuid(), ...outcome, blockers: z.array(blocker) })),
  })
  .register(components, { id: 'BulkDeleted' })

export const inboxHealth = z
  .object({
    ...answerFields,
    inbox_id: z.uuid(),
    email_address: z.string(),
    overall_status: inboxFields.overall_status,
    pause,
    daily_limit: z.int(),
    sent_last_24_hours: z.int().describe('The messages that count towards `daily_limit`.'),
    remaining: z.int().describe('How many more may be sent now.'),
    last_30_days: z.object({ sent: z.int(), bounced: z.int(), complained: z.int() }),
    last_error: z
      .object({ at: instant, recipient: z.string(), reply: z.string() })
      .nullable()
      .describe('The last message that was not delivered, of the last 30 days.'),
    authentication: z
      .object({ spf: z.string(), dkim: z.string(), dmarc: z.string() })
      .nullable()
      .describe('The results of the last message that proved the domain.'),
  })
  .register(components, { id: 'SenderAccountHealth' })

export const inboxTest = z
  .object({
    ...answerFields,
    inbox_id: z.uuid(),
    works: z.boolean(),
    checks: z.array(z.object({ check: z.string(), passed: z.boolean(), message: z.string() })),
  })
  .register(components, { id: 'SenderAccountTest' })

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

const appPasswordFields = {
  password_id: z.string(),
  name: z.string(),
  created_at: instant,
  expires_at: instant.nullable(),
  last_used_at: instant.nullable().describe('To the minute.'),
}

export const appPasswordMade = z
  .object({
    ...answerFields,
    inbox_id: z.uuid(),
    ...appPasswordFields,
    username: z.string(),
    password: z.string().describe('Shown this once.'),
    ...logInServers,
  })
  .register(components, { id: 'AppPasswordMade' })

export const appPasswordList = z
  .object({
    ...answerFields,
    inbox_id: z.uuid(),
    app_passwords: z.array(z.object(appPasswordFields).register(components, { id: 'AppPassword' })),
  })
  .register(components, { id: 'AppPasswordList' })

export const appPasswordRevoked = z
  .object({ ...answerFields, inbox_id: z.uuid(), password_id: z.string() })
  .register(components, { id: 'AppPasswordRevoked' })
