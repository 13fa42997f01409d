import { DriverError } from '../errors.ts'
import type { OutgoingMail, SenderDriver } from './contract.ts'

export type MemorySender = SenderDriver & { readonly sent: OutgoingMail[] }

/** The reference: a sender service that needs one record and keeps sent messages in memory. */
export function memorySenderDriver(): MemorySender {
  const domains = new Set<string>()
  const sent: OutgoingMail[] = []
  return {
    sent,
    promisesSpf: false,
    standingAuthor: 'postmaster',
    async ensureDomain({ claimId, name }, signal) {
      signal.throwIfAborted()
      domains.add(claimId)
      const data = [`memory-verification=${claimId}`]
      return {
        is: 'registered',
        records: [{ name: `${name}.`, type: 'TXT', ttl: 300, data, purpose: 'verification' }],
      }
    },
    async verifyDomain({ claimId }, signal) {
      signal.throwIfAborted()
      if (domains.has(claimId)) return { is: 'verified' }
      throw new DriverError('rejected', 'The domain is not registered here.')
    },
    async removeDomain({ claimId }, signal) {
      signal.throwIfAborted()
      domains.delete(claimId)
    },
    async send({ claimId }, mail, signal) {
      signal.throwIfAborted()
      if (!domains.has(claimId))
        throw new DriverError('rejected', 'The domain is not registered here.')
      if (!sent.some(({ id }) => id === mail.id)) sent.push(mail)
    },
  }
}
