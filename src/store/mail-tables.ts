/** The tables of messages that came in and go out. */
import type { Generated, JSONColumnType } from 'kysely'
import type { Authentication } from '#mail/incoming/results.ts'
import type { Origin } from '#mail/outgoing/mail.ts'

/** The octets of a message, once, whatever its recipients. */
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
  /** The fields that stand on top of the content, with their CRLFs. */
  trace: string
  authentication: JSONColumnType<Authentication>
  received_at: Generated<Date>
}

export type OutgoingMessageRow = {
  id: string
  workspace_id: string
  world: 'live' | 'sandbox'
  claim_id: string
  inbox_id: string | null
  origin: Origin
  /** The account of the sender service; `embedded` where it leaves from here. */
  account: string
  message_id: string
  /** The whole address. */
  author: string
  recipient: string
  recipient_domain: string
  /** Null once the message has ended, and its octets are not needed any more. */
  content_id: string | null
  state: Generated<OutgoingState>
  last_reply: Generated<string>
  /** When a message that is not sent again was about to be handed over. */
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
  outcome: string
  reply: string
  conversation: string | null
}
