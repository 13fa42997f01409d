/** An outgoing message, on its way from its origin to the sender. */
import type { Facts } from './gate.ts'
import type { DkimKey } from './key.ts'

/** Why the message was made; `submission`: a mail program sent it. */
export type Origin = 'probe' | 'test' | 'reply' | 'submission' | 'campaign' | 'dsn'

/**
 * Whether a message is sent again after a transfer that ended without an answer: at least once, or at
 * most once. A mail to one person is better repeated than lost; a mailing is not.
 */
export const SENT_AGAIN: Readonly<Record<Origin, boolean>> = {
  probe: true,
  test: true,
  reply: true,
  submission: true,
  dsn: true,
  campaign: false,
}

/** Where a message stands among those that its inbox sent. */
export type SentCopy = {
  threadId: string
  subject: string
  preview: string
  /** By which it is found. */
  words: readonly string[]
}

export type OutgoingMail = {
  /** Our id, a UUID: the same however often the message is handed over. */
  id: string
  origin: Origin
  inboxId: string | undefined
  /** The localpart of the author, at the claim's domain. */
  author: string
  /** One bare address. */
  recipient: string
  /** In brackets. */
  messageId: string
  /** The finished message, unsigned: signing comes last. */
  content: Buffer
  /** Kept in the conversation that the message belongs to. */
  sentCopy?: SentCopy | undefined
}

/** A message that waits for its next attempt. */
export type QueuedMail = OutgoingMail & {
  workspaceId: string
  world: string
  claim: { claimId: string; name: string; nameservers: readonly string[] }
  /** The sender account that sends it. */
  account: string
  /** Whether reports to its bounce address reach us. */
  bouncesArrive: boolean
  /** The domain of the recipient. */
  destination: string
  inbox: Facts['inbox']
  domain: Facts['domain']
  recipientIs: Facts['recipient']
  createdAt: Date
  /** A transfer had begun, and it must not be sent again. */
  isInDoubt: boolean
  /** The row's epoch when taken: a stale worker must not send it. */
  epoch: string
  /** The DKIM key, where it is sent from here. */
  key: DkimKey | undefined
}

/** `host` is where it was tried, `conversation` the SMTP dialogue there, without secrets. */
export type AttemptResult = {
  is: 'sent' | 'deferred' | 'failed' | 'unknown'
  reply: string
  host?: string
  conversation?: string
  /** The other side did not answer in time, or not at all. */
  isSilent?: boolean
  /** The host may have taken the message: its transfer had begun, and ended without an answer. */
  isUnanswered?: boolean
}
