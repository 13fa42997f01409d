/** What a service that sends mail must do for us. */
import type { OutgoingMail } from '#mail/outgoing/mail.ts'
import type { Refusal } from '../errors.ts'
import type { NeededRecord } from '../records.ts'
import type { ClaimRef } from '../zone/contract.ts'

export type { OutgoingMail } from '#mail/outgoing/mail.ts'
export type { NeededRecord } from '../records.ts'
export type { ClaimRef } from '../zone/contract.ts'

/** The right to send as one address of the domain. */
export type Identity = { localpart: string; displayName: string }

/** The rights to send as single addresses, where a service grants them one by one. */
export interface Identities {
  /** Grants it. Safe to repeat. A refusal concerns this address alone, and says what would help. */
  ensure(claim: ClaimRef, identity: Identity, signal: AbortSignal): Promise<Refusal | undefined>

  /** Revokes it. An absent one is success. */
  remove(claim: ClaimRef, localpart: string, signal: AbortSignal): Promise<void>

  /** The granted localparts, sorted, without those every domain has; empty without the domain. */
  list(claim: ClaimRef, signal: AbortSignal): Promise<readonly string[]>
}

/** A `pending` key is only published; `retiring` and `revoked` ones no longer sign. */
export type KeyState = 'pending' | 'signing' | 'retiring' | 'revoked'

/** Why a key was begun. After a compromise no older key may be trusted. */
export type Occasion = 'routine' | 'compromise'

export type SigningKey = {
  selector: string
  /** The absolute name of its record. */
  name: string
  state: KeyState
  /** Since when it is in this state. */
  since: Date
  occasion: Occasion
}

/**
 * The keys that a domain signs with, where we may change them. The caller decides when: each call does
 * one thing, at once, and is safe to repeat. `ensureDomain` returns the records of all keys.
 */
export interface KeyRotation {
  /** How many days a key signs before the next one is begun; 0 for no rotation. */
  readonly everyDays: number

  /** Oldest state first; empty without a registration. */
  keys(claim: ClaimRef, signal: AbortSignal): Promise<readonly SigningKey[]>

  /** Makes a pending key, under a selector never used before at the name; `under_way` if one is pending. */
  begin(
    claim: ClaimRef,
    wish: { occasion: Occasion; at: Date },
    signal: AbortSignal,
  ): Promise<'begun' | 'under_way'>

  /** From now on the pending key signs, and the former one retires. */
  sign(claim: ClaimRef, selector: string, at: Date, signal: AbortSignal): Promise<void>

  /** From now on the record of a retiring key says that it is revoked. */
  revoke(claim: ClaimRef, selector: string, at: Date, signal: AbortSignal): Promise<void>

  /** Deletes a revoked key. */
  drop(claim: ClaimRef, selector: string, signal: AbortSignal): Promise<void>
}

/** Events about messages that the service reports later. */
export interface SenderEvents {
  /** Proves that a post comes from the service. */
  readonly secret: string

  /** Reads one post: the answer to it, and its reports; undefined when it is malformed. */
  read(body: unknown): { answer: object; reports: readonly DeliveryReport[] } | undefined
}

export type DeliveryReport = {
  /** The same each time the report is posted. */
  eventId: string
  operationId: string
  recipient: string
  state: 'delivered' | 'bounced' | 'failed' | 'filtered' | 'quarantined' | 'suppressed'
  detail: string
  at: Date
}

/** The records it needs, or why they are not yet known. */
export type Registration =
  | { is: 'registered'; records: readonly NeededRecord[] }
  | { is: 'waiting'; reason: string; message: string }

/** Whether the service accepts what the DNS says of the domain. */
export type Verification =
  | { is: 'verified' }
  | { is: 'waiting'; reason: string; message: string }
  | { is: 'refused'; reason: string; message: string }

export interface SenderDriver {
  /** Whether its mail passes SPF in alignment with the author's domain. */
  readonly promisesSpf: boolean

  /** The localpart that every registered domain may send as. */
  readonly standingAuthor: string

  /** Absent where a registered domain may send as any of its addresses. */
  readonly identities?: Identities

  /** Absent where the service rotates its keys itself. */
  readonly rotation?: KeyRotation

  /** Absent where the service reports no events, or its account has no secret for them. */
  readonly events?: SenderEvents

  /**
   * Registers the domain for sending and returns the records it needs. Safe to repeat. `conflict` if the
   * name has a registration without the claim's stamp.
   */
  ensureDomain(claim: ClaimRef, signal: AbortSignal): Promise<Registration>

  /** Makes the service check the records, or returns how its check stands. Safe to repeat. */
  verifyDomain(claim: ClaimRef, signal: AbortSignal): Promise<Verification>

  /** Deletes the registration with all its identities and keys. Absent is success. */
  removeDomain(claim: ClaimRef, signal: AbortSignal): Promise<void>

  /** Hands the message over, or throws. It is sent once, however often it is handed over under its id. */
  send(claim: ClaimRef, mail: OutgoingMail, signal: AbortSignal): Promise<void>
}
