import type { Change, RRset } from '#drivers/zone/contract.ts'
import { isSameRRset } from '#drivers/zone/effective-changes.ts'

/** What to change so that `current` becomes `desired`: puts and drops of whole rrsets. Pure. */
export function planZone(current: readonly RRset[], desired: readonly RRset[]): readonly Change[] {
  const [wanted, there] = [byKey(desired), byKey(current)]
  const drops = current.filter((have) => !wanted.has(keyOf(have)))
  const puts = desired.filter((want) => !isSameRRset(there.get(keyOf(want)), want))
  return [
    ...drops.map(({ name, type }) => ({ drop: { name, type } })),
    ...puts.map((put) => ({ put })),
  ]
}

const POPULATED = 10
const MUCH = 0.3

/** Whether a plan removes much of a populated zone: that is probably our mistake. */
export function dropsMuch(current: readonly RRset[], changes: readonly Change[]): boolean {
  const drops = changes.filter((change) => 'drop' in change).length
  return current.length >= POPULATED && drops > current.length * MUCH
}

const keyOf = ({ name, type }: RRset): string => `${name} ${type}`

const byKey = (rrsets: readonly RRset[]): Map<string, RRset> =>
  new Map(rrsets.map((rrset) => [keyOf(rrset), rrset]))
