/** sender_verified: the sender service has verified the records itself, and lets the inboxes send. */
import type { Identities } from '#drivers/sender/contract.ts'
import { failed, met, type Pass, type Step, waiting } from '../step.ts'

export const senderVerified: Step = {
  async ensure(pass) {
    const { domain, ports, signal } = pass
    const verification = await ports.sender.verifyDomain(domain.claim, signal)
    if (verification.is === 'verified') {
      if (ports.sender.identities) await grantIdentities(pass, ports.sender.identities)
      return met
    }
    const { reason, message } = verification
    return verification.is === 'waiting' ? waiting(reason, message) : failed(reason, message)
  },
}

/**
 * Grants each inbox an identity, and revokes those of deleted inboxes; leaves those made by hand alone. A
 * refusal holds up only its inbox.
 */
async function grantIdentities(
  { domain, ports, signal, refused }: Pass,
  identities: Identities,
): Promise<void> {
  const { wanted, unwanted } = await ports.inboxes.list(domain)
  for (const localpart of unwanted) await identities.remove(domain.claim, localpart, signal)
  await ports.inboxes.removed(domain, unwanted)
  const granted = new Set(await identities.list(domain.claim, signal))
  for (const inbox of wanted) {
    const isThere = granted.has(inbox.localpart)
    const refusal = isThere ? undefined : await identities.ensure(domain.claim, inbox, signal)
    if (refusal) await ports.inboxes.refused(domain, inbox.localpart, refusal)
    else if (!refused.has(inbox.localpart)) await ports.inboxes.ready(domain, [inbox.localpart])
  }
}
