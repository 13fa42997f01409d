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

  /** Takes it away. Absent is success. */
  remove(claim: ClaimRef, localpart: string, signal: AbortSignal): Promise<void>

  /** The localparts granted, sorted, without those that every domain has; empty without the domain. */
  list(claim: ClaimRef, signal: AbortSignal): Promise<readonly string[]>
}

/** `pending` keys are published only; `retiring` and `revoked` ones sign no more. */
export type KeyState = 'pending' | 'signing' | 'retiring' | 'revoked'

/** Why a key was begun. After a compromise no older key may be believed. */
export type Occasion = 'routine' | 'compromise'

export type SigningKey = {
  selector: string
  /** Where its record stands, absolute. */
  name: string
  state: KeyState
  /** Since when it is in this state. */
  since: Date
  occasion: Occasion
}

/**
 * The keys a domain signs with, where it is ours to change them. Who calls decides when: each call does
 * one thing, at once, and is safe to repeat. `ensureDomain` asks for the records of all of them.
 */
export interface KeyRotation {
  /** How many days a key signs before the next one is begun; 0 for ever. */
  readonly everyDays: number

  /** Oldest state first; empty without a registration. */
  keys(claim: ClaimRef, signal: AbortSignal): Promise<readonly SigningKey[]>

  /** Makes a pending key, under a selector that the name never had; `under_way` where there is one. */
  begin(
    claim: ClaimRef,
    wish: { occasion: Occasion; at: Date },
    signal: AbortSignal,
  ): Promise<'begun' | 'under_way'>

  /** The pending key signs from now on, and the one that did retires. */
  sign(claim: ClaimRef, selector: string, at: Date, signal: AbortSignal): Promise<void>

  /** The record of a retiring key says from now on that it is revoked. */
  revoke(claim: ClaimRef, selector: string, at: Date, signal: AbortSignal): Promise<void>

  /** Makes a revoked key not exist. */
  drop(claim: ClaimRef, selector: string, signal: AbortSignal): Promise<void>
}

/** What a service tells later of messages it took over. */
export interface SenderEvents {
  /** Tells the service's posts from anybody else's. */
  readonly secret: string

  /** Reads one post: what to answer it with, and what it tells; undefined when it is none. */
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

/** The records it needs, or why they are not known yet. */
export type Registration =
  | { is: 'registered'; records: readonly NeededRecord[] }
  | { is: 'waiting'; reason: string; message: string }

/** Whether the service is content with what the DNS says of the domain. */
export type Verification =
  | { is: 'verified' }
  | { is: 'waiting'; reason: string; message: string }
  | { is: 'refused'; reason: string; message: string }

export interface SenderDriver {
  /** Whether what it sends passes SPF in alignment with the author's domain. */
  readonly promisesSpf: boolean

  /** The localpart that every registered domain may send as. */
  readonly standingAuthor: string

  /** Absent where the registration gives the right to send as any address of the domain. */
  readonly identities?: Identities

  /** Absent where the service rotates its keys by itself. */
  readonly rotation?: KeyRotation

  /** Absent where the service tells nothing later, or its account has no secret to know it by. */
  readonly events?: SenderEvents

  /**
   * Registers the domain for sending and says which records it needs. Safe to repeat. `conflict` where
   * a registration of the name stands that does not carry the claim's stamp.
   */
  ensureDomain(claim: ClaimRef, signal: AbortSignal): Promise<Registration>

  /** Asks the service to check the records, or how its check stands. Safe to repeat. */
  verifyDomain(claim: ClaimRef, signal: AbortSignal): Promise<Verification>

  /** Makes the registration, with all its identities and keys, not exist. Absent is success. */
  removeDomain(claim: ClaimRef, signal: AbortSignal): Promise<void>

  /** Takes the message over, or throws. It leaves once, however often it is handed over under its id. */
  send(claim: ClaimRef, mail: OutgoingMail, signal: AbortSignal): Promise<void>
}
