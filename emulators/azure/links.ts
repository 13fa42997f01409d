/** Which domains a communication service may be linked to. */
import { Refused } from './answers.ts'
import { type Cloud, type Domain, domainOfId } from './state.ts'
import { isFullyVerified, settle } from './verification.ts'

/** The ids to store: as written, each domain once. If one is refused, all are. */
export async function linkableDomains(
  cloud: Cloud,
  ids: readonly string[],
  dataLocation: string,
): Promise<readonly string[]> {
  const kept = new Map(ids.map((id) => [id.toLowerCase(), id]))
  for (const id of kept.values()) {
    const domain = domainOfId(cloud, id)
    if (domain) await settle(cloud, domain)
    const objection = objectionTo(domain, dataLocation)
    if (objection) throw new Refused(400, 'InvalidLinkedDomains', `'${id}': ${objection}`)
  }
  return [...kept.values()]
}

function objectionTo(domain: Domain | undefined, dataLocation: string): string | undefined {
  if (domain === undefined || domain.provisioningState !== 'Succeeded') {
    return 'the domain does not exist.'
  }
  if (!isFullyVerified(domain)) return 'the domain is not fully verified.'
  if (domain.dataLocation !== dataLocation) return 'the domain has another data location.'
  return undefined
}
