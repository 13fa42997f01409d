/** What a service that sends mail must do for us. */
import type { NeededRecord } from '../records.ts'
import type { ClaimRef } from '../zone/contract.ts'

export type { NeededRecord } from '../records.ts'
export type { ClaimRef } from '../zone/contract.ts'

/** The right to send as one address of the domain. */
export type Identity = { localpart: string; displayName: string }

export type OutgoingMessage = {
  author: Identity
  /** One address, in plain form. */
  recipient: string
  subject: string
  text: string
  headers: Readonly<Record<string, string>>
}

/** Whether the service is content with what the DNS says of the domain. */
export type Verification =
  | { is: 'verified' }
  | { is: 'waiting'; reason: string; message: string }
  | { is: 'refused'; reason: string; message: string }

export interface SenderDriver {
  /** Whether what it sends passes SPF in alignment with the author's domain. */
  readonly promisesSpf: boolean

  /** Registers the domain for sending and says which records it needs. Safe to repeat. */
  ensureDomain(claim: ClaimRef, signal: AbortSignal): Promise<{ records: readonly NeededRecord[] }>

  /** Asks the service to check the records, or how its check stands. Safe to repeat. */
  verifyDomain(claim: ClaimRef, signal: AbortSignal): Promise<Verification>

  /** Makes the registration, with all its identities and keys, not exist. Absent is success. */
  removeDomain(claim: ClaimRef, signal: AbortSignal): Promise<void>

  /** Takes the message over, or throws; `messageId` is the Message-ID it goes out with, in brackets. */
  send(
    claim: ClaimRef,
    message: OutgoingMessage,
    signal: AbortSignal,
  ): Promise<{ messageId: string }>
}
