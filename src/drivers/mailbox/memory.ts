import { absolute } from '#names/domain-name.ts'
import { DriverError } from '../errors.ts'
import type { MailboxDriver } from './contract.ts'

/** The reference: a mailbox service that keeps its mailboxes in memory. */
export function memoryMailboxDriver(): MailboxDriver {
  const domains = new Map<string, Set<string>>()
  return {
    async ensureDomain({ claimId, name }, signal) {
      signal.throwIfAborted()
      if (!domains.has(claimId)) domains.set(claimId, new Set())
      const data = ['10 mx.memory.test.']
      return { records: [{ name: absolute(name), type: 'MX', ttl: 300, data, purpose: 'mx' }] }
    },
    async removeDomain({ claimId }, signal) {
      signal.throwIfAborted()
      domains.delete(claimId)
    },
    async ensureMailbox({ claimId }, localpart, signal) {
      signal.throwIfAborted()
      const mailboxes = domains.get(claimId)
      if (!mailboxes) throw new DriverError('rejected', 'There is no such mail domain here.')
      mailboxes.add(localpart)
      return undefined
    },
    async removeMailbox({ claimId }, localpart, signal) {
      signal.throwIfAborted()
      domains.get(claimId)?.delete(localpart)
    },
    async listMailboxes({ claimId }, signal) {
      signal.throwIfAborted()
      return [...(domains.get(claimId) ?? [])].toSorted()
    },
  }
}
