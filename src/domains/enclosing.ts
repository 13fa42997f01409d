/**
 * A zone hosted here that encloses a name. Only that zone's NS records delegate the name; they are read
 * from the zone host, because on the wire our own servers would answer.
 */
import { absolute, relative } from '#names/domain-name.ts'
import type { Ports } from './ports.ts'
import type { Claim } from './types.ts'

/** `cut`: the nameservers the zone delegates to, sorted, without trailing dots. */
export type EnclosingZone = { name: string; sameWorkspace: boolean; cut: readonly string[] }

/** Undefined when the nearest holder above the name, if any, has no zone. */
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
