/** sender_verified: the sender service has checked the records itself and is content. */
import { failed, met, type Step, waiting } from '../step.ts'

export const senderVerified: Step = {
  async ensure({ domain, ports, signal }) {
    const verification = await ports.sender.verifyDomain(domain.claim, signal)
    if (verification.is === 'verified') return met
    const { reason, message } = verification
    return verification.is === 'waiting' ? waiting(reason, message) : failed(reason, message)
  },
}
