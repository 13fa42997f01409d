/** The tables of inboxes. */
import type { Generated, JSONColumnType } from 'kysely'
import type { Refusal } from '#drivers/errors.ts'
import type { BreakerReason } from '#mail/outgoing/breaker.ts'

/** `user`: by a request. */
type InboxPause = { reason: 'user' | BreakerReason; message: string; at: string }

export type InboxRow = {
  id: string
  workspace_id: string
  world: 'live' | 'sandbox'
  /** Null for an inbox at another provider. */
  domain_id: string | null
  localpart: string
  address: string
  display_name: string
  inbox_type: Generated<'COLDSEND_NATIVE' | 'GOOGLE_WORKSPACE' | 'OUTLOOK_365' | 'CUSTOM_SMTP'>
  daily_limit: Generated<number>
  /** The plain text below its answers. */
  signature: Generated<string>
  status: Generated<'ACTIVE' | 'DISABLED' | 'PAUSED' | 'PENDING'>
  /** Why the sender service does not let it send. */
  problem: JSONColumnType<Refusal> | null
  /** Why it is paused; null if it is not, or if that was not noted. */
  pause: JSONColumnType<InboxPause> | null
  /** Messages that ended before this count towards no pause. */
  counted_from: Date | null
  created_at: Generated<Date>
  removed_at: Date | null
  /** When the services had nothing left of a removed inbox. */
  torn_down_at: Date | null
  /** Until when the conversations of a removed inbox are kept; null: as those of its domain. */
  mail_until: Date | null
}

/** With which a mail program logs in to an inbox. */
export type AppPasswordRow = {
  id: string
  inbox_id: string
  name: string
  hash: string
  created_at: Generated<Date>
  expires_at: Date | null
  last_used_at: Date | null
}

/** A message to hand over to Dovecot, with the id of the message. */
export type MailboxCopyRow = {
  id: string
  inbox_id: string
  created_at: Generated<Date>
  next_at: Generated<Date>
  epoch: Generated<string>
  failures: Generated<number>
}
