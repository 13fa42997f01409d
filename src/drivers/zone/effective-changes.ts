import type { Change, RRset } from './contract.ts'

/**
 * The changes with an effect: drops of existing rrsets, and puts that differ from the current
 * rrset.
 */
export function effectiveChanges(
  current: readonly RRset[],
  changes: readonly Change[],
): readonly Change[] {
  const there = new Map(current.map((rrset) => [`${rrset.name} ${rrset.type}`, rrset]))
  return changes.filter((change) => {
    const { name, type } = 'put' in change ? change.put : change.drop
    const have = there.get(`${name} ${type}`)
    return 'drop' in change ? have !== undefined : !isSameRRset(have, change.put)
  })
}

/** The order of an rrset's values is irrelevant. */
export function isSameRRset(a: RRset | undefined, b: RRset): boolean {
  if (a === undefined || a.ttl !== b.ttl) return false
  return a.data.toSorted().join('\n') === b.data.toSorted().join('\n')
}
