/** The rotation of a registration's keys; see docs/decisions/0015-dkim-rotation.md. */
import { absolute } from '#names/domain-name.ts'
import { dkimName, dkimRecord, REVOKED_DKIM_RECORD } from '#policy/dkim.ts'
import { DriverError } from '../../errors.ts'
import type { ClaimRef, KeyRotation, KeyState, NeededRecord, Occasion } from '../contract.ts'

/** A stored key, without its secret. */
export type KeptKey = {
  selector: string
  publicKey: string
  state: KeyState
  since: Date
  occasion: Occasion
}

/** The store of keys. Each call but `list` is one transaction, and idempotent. */
export type KeyStore = {
  /** Oldest first; empty without a registration. */
  list(claimId: string): Promise<readonly KeptKey[]>
  begin(
    claim: ClaimRef,
    occasion: Occasion,
    at: Date,
  ): Promise<'begun' | 'under_way' | 'not_registered'>
  sign(claimId: string, selector: string, at: Date): Promise<void>
  revoke(claimId: string, selector: string, at: Date): Promise<void>
  drop(claimId: string, selector: string): Promise<void>
}

const TTL_S = 300

export function keyRotation(store: KeyStore, everyDays: number): KeyRotation {
  return {
    everyDays,
    async keys(claim, signal) {
      signal.throwIfAborted()
      const keys = await store.list(claim.claimId)
      return keys.map(({ publicKey: _, ...key }) => ({ ...key, name: recordName(claim, key) }))
    },
    async begin(claim, { occasion, at }, signal) {
      signal.throwIfAborted()
      const result = await store.begin(claim, occasion, at)
      return result === 'not_registered' ? notRegistered(claim) : result
    },
    async sign({ claimId }, selector, at, signal) {
      signal.throwIfAborted()
      await store.sign(claimId, selector, at)
    },
    async revoke({ claimId }, selector, at, signal) {
      signal.throwIfAborted()
      await store.revoke(claimId, selector, at)
    },
    async drop({ claimId }, selector, signal) {
      signal.throwIfAborted()
      await store.drop(claimId, selector)
    },
  }
}

export function notRegistered({ name }: ClaimRef): never {
  throw new DriverError('rejected', `${name} is not registered for sending here.`)
}

const recordName = ({ name }: ClaimRef, { selector }: { selector: string }): string =>
  absolute(dkimName(selector, name))

/** The record of a key in its state: every stored key needs one. */
export function dkimNeeded(claim: ClaimRef, key: KeptKey): NeededRecord {
  const value = key.state === 'revoked' ? REVOKED_DKIM_RECORD : dkimRecord(key.publicKey)
  return {
    name: recordName(claim, key),
    type: 'TXT',
    ttl: TTL_S,
    data: [value],
    purpose: 'dkim',
  }
}
