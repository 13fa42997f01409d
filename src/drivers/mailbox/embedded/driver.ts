/** The built-in mailbox service: mail domains and mailboxes that our SMTP server serves. */
import { absolute } from '#names/domain-name.ts'
import { DriverError } from '../../errors.ts'
import type { ClaimRef, MailboxDriver } from '../contract.ts'

/** The store of mail domains and mailboxes; passed in by the composition root. */
export type MailboxStore = {
  createDomain(claim: ClaimRef): Promise<void>
  removeDomain(claimId: string): Promise<void>
  /** False when the claim has no mail domain. */
  createMailbox(claimId: string, localpart: string): Promise<boolean>
  removeMailbox(claimId: string, localpart: string): Promise<void>
  listMailboxes(claimId: string): Promise<readonly string[]>
}

/** `mailHost` is the MX, without a trailing dot. */
export function embeddedMailboxDriver(store: MailboxStore, mailHost: string): MailboxDriver {
  return {
    async ensureDomain(claim, signal) {
      signal.throwIfAborted()
      await store.createDomain(claim)
      const data = [`10 ${absolute(mailHost)}`]
      return {
        records: [{ name: absolute(claim.name), type: 'MX', ttl: 300, data, purpose: 'mx' }],
      }
    },
    async removeDomain({ claimId }, signal) {
      signal.throwIfAborted()
      await store.removeDomain(claimId)
    },
    async ensureMailbox({ claimId, name }, localpart, signal) {
      signal.throwIfAborted()
      const isThere = await store.createMailbox(claimId, localpart)
      if (!isThere) throw new DriverError('rejected', `There is no mail domain ${name} here.`)
      return undefined
    },
    async removeMailbox({ claimId }, localpart, signal) {
      signal.throwIfAborted()
      await store.removeMailbox(claimId, localpart)
    },
    async listMailboxes({ claimId }, signal) {
      signal.throwIfAborted()
      return store.listMailboxes(claimId)
    },
  }
}
