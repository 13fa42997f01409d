/** The tables of incoming and outgoing messages. */
import type { Generated, JSONColumnType } from 'kysely'
import type { Kind } from '#mail/incoming/kind.ts'
import type { Authentication } from '#mail/incoming/results.ts'
import type { Origin } from '#mail/outgoing/mail.ts'

/** The octets of a message, stored once for all recipients. */
export type ContentRow = {
  id: string
  encoding: 'identity' | 'zstd'
  octets: string
  content: Buffer
  created_at: Generated<Date>
}

export type MessageRow = {
  id: string
  /** Null for the mail of the operator. */
  claim_id: string | null
  thread_id: string | null
  localpart: string
  envelope_sender: string
  recipient: string
  author: string
  subject: string
  preview: string
  content_id: string
  /** The header fields added before the content, with CRLFs. */
  trace: string
  authentication: JSONColumnType<Authentication>
  received_at: Generated<Date>
  /** Of a copy of a sent message; null for a received one. */
  outgoing_id: string | null
  kind: Generated<Kind>
  /** By which it is found; null for one that is in no conversation. */
  words: string | null
}

export type OutgoingMessageRow = {
  id: string
  workspace_id: string
  world: 'live' | 'sandbox'
  claim_id: string
  inbox_id: string | null
  origin: Origin
  /** The account of the sender service; `embedded` for the embedded sender. */
  account: string
  message_id: string
  /** The whole address. */
  author: string
  recipient: string
  recipient_domain: string
  /** By which the recipient is found among the suppressions. */
  recipient_hash: Buffer | null
  /** Null once the state is final, because no attempt needs the octets. */
  content_id: string | null
  state: Generated<OutgoingState>
  last_reply: Generated<string>
  /** When the DATA of a message began; only for messages that we never send twice. */
  data_at: Date | null
  created_at: Generated<Date>
  finished_at: Date | null
}

export type OutgoingState =
  | 'queued'
  | 'sent'
  | 'deferred'
  | 'delivered'
  | 'bounced'
  | 'complained'
  | 'failed'
  | 'cancelled'
  | 'unknown'

export type AttemptRow = {
  outgoing_message_id: string
  number: number
  at: Generated<Date>
  host: string
  outcome: Exclude<OutgoingState, 'queued' | 'cancelled'>
  reply: string
  conversation: string | null
}

/** A report of a receiver about the mail of a domain. */
export type DmarcReportRow = {
  id: string
  claim_id: string
  /** The address that sent it. */
  author: string
  reporter: string
  report_id: string
  /** Whether its own mail passed DMARC; only then it has rows. */
  is_authentic: boolean
  begins_at: Date
  ends_at: Date
  received_at: Generated<Date>
}

export type DmarcCountRow = {
  report_id: string
  source_ip: string
  messages: number
  disposition: string
  dkim: boolean
  spf: boolean
  header_from: string
  envelope_from: string
}

/** The servers of an inbox at another provider; the log-ins are sealed. */
export type SmtpAccountRow = {
  inbox_id: string
  smtp_host: string
  smtp_port: number
  smtp_encrypts: boolean
  smtp_log_in: string
  imap_host: string
  imap_port: number
  imap_encrypts: boolean
  imap_log_in: string
}
