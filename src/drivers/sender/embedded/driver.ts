/** The sender in this very product: signs, queues, and delivers straight to the recipient's MX. */
import { absolute } from '#names/domain-name.ts'
import { dkimName, dkimPublicKey, dkimRecord } from '#policy/dkim.ts'
import type { Resolver } from '#resolver/resolver.ts'
import { DriverError } from '../../errors.ts'
import type { ClaimRef, NeededRecord, SenderDriver, Verification } from '../contract.ts'
import { composeSigned } from './compose.ts'
import type { DkimKey } from './key.ts'

export type QueuedMessage = {
  claimId: string
  envelopeSender: string
  recipient: string
  raw: Buffer
}

/** Where registrations and the queue are kept; handed in by the composition root. */
export type SenderStore = {
  /** Registers the claim with a key of its own, or gives the key it has. */
  register(claim: ClaimRef): Promise<DkimKey>
  find(claimId: string): Promise<DkimKey | undefined>
  /** Takes away the registration, its key and what is still queued. */
  remove(claimId: string): Promise<void>
  /** Queues a message; false when the claim is not registered (any more). */
  enqueue(delivery: QueuedMessage): Promise<boolean>
}

export type EmbeddedSenderOptions = {
  store: SenderStore
  /** The public DNS, for checking that the key is published. */
  publicDns: Resolver
  /** Whose `_spf` name lists the addresses we send from; no trailing dot. */
  mailHost: string
}

const TTL_S = 300

export function embeddedSenderDriver({
  store,
  publicDns,
  mailHost,
}: EmbeddedSenderOptions): SenderDriver {
  return {
    promisesSpf: true,
    standingAuthor: 'postmaster',
    async ensureDomain(claim, signal) {
      signal.throwIfAborted()
      const key = await store.register(claim)
      return { is: 'registered', records: [dkimNeeded(claim, key), spfNeeded(claim, mailHost)] }
    },
    async verifyDomain(claim, signal) {
      const key = await registered(store, claim)
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
    async send(claim, message, signal) {
      signal.throwIfAborted()
      const key = await registered(store, claim)
      const { raw, messageId } = await composeSigned(message, claim.name, key)
      const envelopeSender = `${message.author.localpart}@${claim.name}`
      const { recipient } = message
      const { claimId } = claim
      const isQueued = await store.enqueue({ claimId, envelopeSender, recipient, raw })
      return isQueued ? { messageId } : notRegistered(claim)
    },
  }
}

async function registered(store: SenderStore, claim: ClaimRef): Promise<DkimKey> {
  const key = await store.find(claim.claimId)
  return key ?? notRegistered(claim)
}

function notRegistered({ name }: ClaimRef): never {
  throw new DriverError('rejected', `${name} is not registered for sending here.`)
}

function dkimNeeded({ name }: ClaimRef, { selector, publicKey }: DkimKey): NeededRecord {
  const data = [dkimRecord(publicKey)]
  return {
    name: absolute(dkimName(selector, name)),
    type: 'TXT',
    ttl: TTL_S,
    data,
    purpose: 'dkim',
  }
}

function spfNeeded({ name }: ClaimRef, mailHost: string): NeededRecord {
  const data = [`v=spf1 include:_spf.${mailHost} ~all`]
  return { name: absolute(name), type: 'TXT', ttl: TTL_S, data, purpose: 'spf' }
}

function verificationOf(name: string, key: DkimKey, published: readonly string[]): Verification {
  if (published.some((record) => dkimPublicKey(record) === key.publicKey)) return { is: 'verified' }
  const reason = published.length === 0 ? 'key_missing' : 'key_mismatch'
  const what = published.length === 0 ? 'no key' : 'another key'
  return { is: 'waiting', reason, message: `The public DNS shows ${what} at ${name}.` }
}
