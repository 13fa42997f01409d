/** Sender usernames: the right to send as one address of a domain, granted one by one. */
import type { Refusal } from '../../errors.ts'
import type { ClaimRef, Identities } from '../contract.ts'
import type { Arm, ArmDomain } from './arm.ts'
import { notRegistered } from './refusals.ts'

/** Every domain has this one from the start. */
const STANDING = 'donotreply'

type OwnDomain = (arm: Arm, claim: ClaimRef, signal: AbortSignal) => Promise<ArmDomain | undefined>

export function azureIdentities(arm: Arm, ownDomain: OwnDomain): Identities {
  return {
    async ensure(claim, { localpart, displayName }, signal) {
      if (!(await ownDomain(arm, claim, signal))) throw notRegistered(claim)
      const code = await arm.putSender(claim.name, localpart, displayName, signal)
      return code === undefined ? undefined : refusalFor(localpart, code)
    },
    async remove(claim, localpart, signal) {
      if (await ownDomain(arm, claim, signal)) await arm.deleteSender(claim.name, localpart, signal)
    },
    async list(claim, signal) {
      if (!(await ownDomain(arm, claim, signal))) return []
      const names = await arm.listSenders(claim.name, signal)
      return names
        .map((each) => each.toLowerCase())
        .filter((each) => each !== STANDING)
        .toSorted()
    },
  }
}

/** At a new subscription's sending limits, DoNotReply is the only one. */
function refusalFor(localpart: string, code: string): Refusal {
  if (code === 'InvalidSenderUserName') {
    return { reason: 'localpart_refused', message: `Azure does not take ${localpart} as a sender.` }
  }
  const message = `Azure does not let ${localpart} send (${code}): a subscription must have its sending limits raised before it has senders beside DoNotReply.`
  return { reason: 'needs_quota_raise', message }
}
