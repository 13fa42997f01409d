/**
 * Finds the hosted zone that encloses a name. Its NS records alone delegate the name. We read them
 * at the zone host, because a query would reach our own nameserver.
 */
import { absolute, relative } from '#names/domain-name.ts'
import type { Ports } from './ports.ts'
import type { Claim } from './types.ts'

/** `cut`: the nameservers to which the zone delegates the name, sorted, without trailing dots. */
export type EnclosingZone = { name: string; sameWorkspace: boolean; cut: readonly string[] }

/** Undefined if no claim holds a name above, or the nearest holder has no zone. */
export async function enclosingZone(
  claim: Claim,
  { custody, zoneHost }: Ports,
  signal: AbortSignal,
): Promise<EnclosingZone | undefined> {
  const holder = await custody.enclosingHolder(claim)
  if (holder === undefined) return undefined
  const rrsets = await zoneHost(holder.account).readZone(holder.claim, signal)
  if (rrsets === undefined) return undefined
  const isCut = ({ name, type }: { name: string; type: string }) =>
    type === 'NS' && name === absolute(claim.name)
  return {
    name: holder.claim.name,
    sameWorkspace: holder.sameWorkspace,
    cut: (rrsets.find(isCut)?.data ?? []).map(relative).toSorted(),
  }
}
