/**
 * Nameserver pairs: each claim on a name gets two names of a pool, and only the pair that the parent shows
 * makes its claim the holder. A dangling delegation cannot be taken over, as no other claim gets its pair;
 * a name cannot be squatted, as drawing a pair proves nothing.
 */
import { randomInt } from 'node:crypto'

// biome-ignore format: a table
const NAMES = [
  'ada', 'alma', 'amy', 'ann', 'ava', 'axel', 'bea', 'ben', 'bob', 'cara', 'carl', 'clio', 'cora', 'dan', 'dana', 'dina',
  'don', 'edna', 'ella', 'elmo', 'emil', 'emma', 'eric', 'erna', 'eva', 'faye', 'finn', 'fred', 'gina', 'glen', 'greta', 'gus',
  'hal', 'hana', 'hugo', 'ida', 'igor', 'ines', 'iris', 'ivan', 'jack', 'jana', 'joan', 'jon', 'judy', 'kai', 'kara', 'kit',
  'lars', 'lea', 'leo', 'lily', 'liv', 'luca', 'mara', 'max', 'mia', 'milo', 'nell', 'nina', 'noah', 'nora', 'olga', 'oscar',
]

export type PoolName = { name: string; address: string }

/** Name i has exactly one address, number i mod k of those given. Names without trailing dots. */
export function nameserverPool(zone: string, addresses: readonly string[]): readonly PoolName[] {
  return NAMES.map((label, index) => ({
    name: `${label}.${zone}`,
    address: addresses[index % addresses.length]!,
  }))
}

/**
 * Two names with different addresses, sorted; on a single (loopback) address any two. Never a pair
 * that is taken, nor one of which the parent shows both names now. Undefined when none is left.
 */
export function drawPair(
  pool: readonly PoolName[],
  taken: readonly (readonly string[])[],
  shown: readonly string[],
): readonly string[] | undefined {
  const isSpread = new Set(pool.map(({ address }) => address)).size > 1
  const refused = new Set(taken.map((pair) => pair.join()))
  const free = pairsOf(pool).filter(([a, b]) => {
    if (isSpread && a.address === b.address) return false
    return (
      !refused.has(`${a.name},${b.name}`) && !(shown.includes(a.name) && shown.includes(b.name))
    )
  })
  const drawn = free[free.length > 0 ? randomInt(free.length) : 0]
  return drawn?.map(({ name }) => name)
}

/** All pairs of names, each sorted. */
function pairsOf(pool: readonly PoolName[]): (readonly [PoolName, PoolName])[] {
  const sorted = pool.toSorted((a, b) => (a.name < b.name ? -1 : 1))
  return sorted.flatMap((a, index) => sorted.slice(index + 1).map((b) => [a, b] as const))
}

/** How many claims on one name may wait for their delegation, and how often a workspace may add the name. */
export type ClaimLimits = { pendingClaimsPerName: number; addsPerNamePerHour: number }

/** Of one name: the workspace's adds within the hour, and all claims that wait for their delegation. */
export type ClaimCounts = { recentAdds: number; pendingClaims: number }

/** Why the name may not be added now: otherwise its pairs of nameservers could be used up. */
export function obstacleToAdding(
  { recentAdds, pendingClaims }: ClaimCounts,
  { addsPerNamePerHour, pendingClaimsPerName }: ClaimLimits,
): 'too_many_adds' | 'too_many_claims' | undefined {
  if (recentAdds >= addsPerNamePerHour) return 'too_many_adds'
  return pendingClaims >= pendingClaimsPerName ? 'too_many_claims' : undefined
}
