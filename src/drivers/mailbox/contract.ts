/** What a service that keeps mailboxes must do for us. */
import type { Refusal } from '../errors.ts'
import type { NeededRecord } from '../records.ts'
import type { ClaimRef } from '../zone/contract.ts'

export type { NeededRecord } from '../records.ts'
export type { ClaimRef } from '../zone/contract.ts'

export interface MailboxDriver {
  /** Registers the mail domain and says which records it needs. Safe to repeat. */
  ensureDomain(claim: ClaimRef, signal: AbortSignal): Promise<{ records: readonly NeededRecord[] }>

  /** Deletes the mail domain, its mailboxes and its keys. Absent is success. */
  removeDomain(claim: ClaimRef, signal: AbortSignal): Promise<void>

  /**
   * Makes a mailbox at a lower-case localpart. Safe to repeat. `rejected` without the mail domain; a
   * refusal that is returned concerns this mailbox alone, and says what would help.
   */
  ensureMailbox(
    claim: ClaimRef,
    localpart: string,
    signal: AbortSignal,
  ): Promise<Refusal | undefined>

  /** Deletes the mailbox. Absent is success. */
  removeMailbox(claim: ClaimRef, localpart: string, signal: AbortSignal): Promise<void>

  /** The localparts that have a mailbox, sorted; empty without the mail domain. */
  listMailboxes(claim: ClaimRef, signal: AbortSignal): Promise<readonly string[]>
}
