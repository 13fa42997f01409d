/** The mailbox service `dovecot`: mailboxes of our SMTP server, whose mail Dovecot shows to mail programs. */
import type { MailboxDriver } from '../contract.ts'

/** Passed in by the composition root. */
export type MailFiles = {
  /** The inboxes that were at this localpart and are removed. */
  removedInboxes(claimId: string, localpart: string): Promise<readonly string[]>
  /** Ends the sessions, and deletes the mail. Absent is success. */
  removeInbox(claimId: string, inboxId: string, signal: AbortSignal): Promise<void>
  removeClaim(claimId: string, signal: AbortSignal): Promise<void>
}

/** Dovecot makes a mailbox when the first message comes, or at the first log-in; only removal is ours. */
export function dovecotMailboxDriver(embedded: MailboxDriver, files: MailFiles): MailboxDriver {
  return {
    ...embedded,
    async removeDomain(claim, signal) {
      await embedded.removeDomain(claim, signal)
      await files.removeClaim(claim.claimId, signal)
    },
    async removeMailbox(claim, localpart, signal) {
      await embedded.removeMailbox(claim, localpart, signal)
      for (const inboxId of await files.removedInboxes(claim.claimId, localpart))
        await files.removeInbox(claim.claimId, inboxId, signal)
    },
  }
}
