/** The built-in sender: signs queued messages and transfers them to the recipient's MX. */

import { bounceDomain, hasBounceAddresses } from '#mail/outgoing/bounce-address.ts'
import { absolute } from '#names/domain-name.ts'
import { dkimName, dkimPublicKey } from '#policy/dkim.ts'
import { spfIncluding } from '#policy/spf.ts'
import type { Resolver } from '#resolver/resolver.ts'
import type {
  ClaimRef,
  NeededRecord,
  OutgoingMail,
  SenderDriver,
  Verification,
} from '../contract.ts'
import { dkimNeeded, type KeptKey, type KeyStore, keyRotation, notRegistered } from './rotation.ts'

/** The store of registrations and the queue; passed in by the composition root. */
export type SenderStore = {
  keys: KeyStore
  /** Registers the claim with a new signing key, or returns the keys it has. */
  register(claim: ClaimRef): Promise<readonly KeptKey[]>
  /** Removes the registration and its keys, and cancels what is still queued. */
  remove(claimId: string): Promise<void>
  /** Queues a message, once; false when the claim is not registered. */
  enqueue(claim: ClaimRef, mail: OutgoingMail): Promise<boolean>
}

export type EmbeddedSenderOptions = {
  store: SenderStore
  /** The public DNS, for checking that the key is published. */
  publicDns: Resolver
  /** The host whose `_spf` name lists the addresses we send from; no trailing dot. */
  mailHost: string
  /** Whether bounces reach our mail host. */
  receivesMail: boolean
  /** How many days a key signs before the next one is begun; 0 for no rotation. */
  rotationDays: number
}

const TTL_S = 300

export function embeddedSenderDriver({
  store,
  publicDns,
  mailHost,
  receivesMail,
  rotationDays,
}: EmbeddedSenderOptions): SenderDriver {
  return {
    promisesSpf: true,
    standingAuthor: 'postmaster',
    rotation: keyRotation(store.keys, rotationDays),
    async ensureDomain(claim, signal) {
      signal.throwIfAborted()
      const keys = await store.register(claim)
      const dkim = keys.map((key) => dkimNeeded(claim, key))
      const bounce =
        receivesMail && hasBounceAddresses(claim.name) ? bounceNeeded(claim, mailHost) : []
      return { is: 'registered', records: [...dkim, spfNeeded(claim, mailHost), ...bounce] }
    },
    async verifyDomain(claim, signal) {
      const keys = await store.keys.list(claim.claimId)
      const key = keys.find(({ state }) => state === 'signing') ?? notRegistered(claim)
      const name = dkimName(key.selector, claim.name)
      const { records } = await publicDns.resolve(name, 'TXT', signal)
      return verificationOf(
        name,
        key,
        records.map(({ data }) => data),
      )
    },
    async removeDomain({ claimId }, signal) {
      signal.throwIfAborted()
      await store.remove(claimId)
    },
    async send(claim, mail, signal) {
      signal.throwIfAborted()
      if (!(await store.enqueue(claim, mail))) notRegistered(claim)
    },
  }
}

function spfNeeded({ name }: ClaimRef, mailHost: string): NeededRecord {
  const data = [spfIncluding(`_spf.${mailHost}`)]
  return { name: absolute(name), type: 'TXT', ttl: TTL_S, data, purpose: 'spf' }
}

/**
 * Bounce addresses are envelope senders: bounces go there, and SPF checks their domain
 * (RFC 7208 section 2.4).
 */
function bounceNeeded({ name }: ClaimRef, mailHost: string): NeededRecord[] {
  const at = { name: absolute(bounceDomain(name)), ttl: TTL_S, purpose: 'bounce' } as const
  return [
    { ...at, type: 'MX', data: [`10 ${absolute(mailHost)}`] },
    { ...at, type: 'TXT', data: [spfIncluding(`_spf.${mailHost}`)] },
  ]
}

function verificationOf(
  name: string,
  key: Pick<KeptKey, 'publicKey'>,
  published: readonly string[],
): Verification {
  if (published.some((record) => dkimPublicKey(record) === key.publicKey)) return { is: 'verified' }
  const reason = published.length === 0 ? 'key_missing' : 'key_mismatch'
  const what = published.length === 0 ? 'no key' : 'another key'
  return { is: 'waiting', reason, message: `The public DNS shows ${what} at ${name}.` }
}
