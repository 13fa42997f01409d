/** A message that leaves, as it is handed from where it is made to where it is sent. */
import type { Facts } from './gate.ts'
import type { DkimKey } from './key.ts'

/** What it was made for. */
export type Origin = 'probe' | 'test' | 'reply' | 'campaign' | 'dsn'

/**
 * Whether a message is sent again whose transfer ended without an answer, as by a crash: at least once, or at most
 * once. Who writes to one person would rather write twice; nobody wants a mailing twice.
 */
export const SENT_AGAIN: Readonly<Record<Origin, boolean>> = {
  probe: true,
  test: true,
  reply: true,
  dsn: true,
  campaign: false,
}

export type OutgoingMail = {
  /** Ours, a UUID: the same however often the message is handed over. */
  id: string
  origin: Origin
  inboxId: string | undefined
  /** The localpart of the author, at the claim's domain. */
  author: string
  /** One address, in plain form. */
  recipient: string
  /** In brackets. */
  messageId: string
  /** The finished message, unsigned: it is signed when it leaves. */
  content: Buffer
}

/** A message that waits for its next attempt. */
export type QueuedMail = OutgoingMail & {
  workspaceId: string
  world: string
  claim: { claimId: string; name: string; nameservers: readonly string[] }
  /** The account of the service that sends it. */
  account: string
  /** Whether what comes back to its bounce address arrives here. */
  bouncesArrive: boolean
  /** The domain of the recipient. */
  destination: string
  inbox: Facts['inbox']
  domain: Facts['domain']
  createdAt: Date
  /** It was about to be handed over, and must not be sent again. */
  isInDoubt: boolean
  /** Of its row, as it was taken: who has lost that must not send it. */
  epoch: string
  /** What it is signed with, where it leaves from here. */
  key: DkimKey | undefined
}

/** `host` is where it was tried, `conversation` what was said there, without secrets. */
export type AttemptResult = {
  is: 'sent' | 'deferred' | 'failed' | 'unknown'
  reply: string
  host?: string
  conversation?: string
  /** The other side did not answer in time, or not at all. */
  isSilent?: boolean
  /** The host may have taken the message: it was reading it when the transfer ended without an answer. */
  isUnanswered?: boolean
}
