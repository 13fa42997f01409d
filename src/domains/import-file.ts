/** Plans the import of a customer's zone file: each record is kept, or reported with a reason. Pure. */

import { type FileProblem, type FileRecord, readMasterFile } from '#dns/master-file.ts'
import { isWithin } from '#dns/name.ts'
import type { ZoneDriver } from '#drivers/zone/contract.ts'
import { absolute, relative } from '#names/domain-name.ts'
import { conflictOf, type ZoneContents } from './coexist.ts'
import { type CustomerRecord, clampTtl, keyOf } from './customer-records.ts'
import { isHostRecord } from './import.ts'

/** A record of the file that is not taken, and why. */
export type LeftOut = { line: number; name: string; type: string; reason: string }

export type FilePlan =
  /** Some lines cannot be read: nothing is imported. */
  | { is: 'unreadable'; problems: readonly FileProblem[] }
  | { is: 'readable'; records: readonly CustomerRecord[]; leftOut: readonly LeftOut[] }

/**
 * Plans what to add to a zone. `zone` is its content, `limit` the most records that a file may have.
 * Records that the zone already has are in the plan, too.
 */
export function planFile(
  text: string,
  zone: WholeZone,
  { objectionTo }: Pick<ZoneDriver, 'objectionTo'>,
  limit: number,
): FilePlan {
  const { records, problems } = readMasterFile(text, absolute(zone.domain), limit)
  if (problems.length > 0) return { is: 'unreadable', problems }
  const theirs = [...zone.theirs]
  const kept: CustomerRecord[] = []
  const leftOut: LeftOut[] = []
  for (const record of records.toSorted(delegationsFirst)) {
    const reason = reasonAgainst(record, { ...zone, theirs }, objectionTo)
    const { line, name, type, ttl, value } = record
    if (reason !== undefined || value === undefined) {
      leftOut.push({ line, name: relative(name), type, reason: reason ?? NOT_HELD })
      continue
    }
    const taken = { name, type, value, ttl: clampTtl(ttl) }
    kept.push(taken)
    theirs.push(taken)
  }
  return {
    is: 'readable',
    records: unique(kept),
    leftOut: leftOut.toSorted((a, b) => a.line - b.line),
  }
}

const NOT_HELD = 'no zone here holds records of this type'

/** A DS needs the NS of its name, which may come later in the file. */
const delegationsFirst = (a: FileRecord, b: FileRecord): number =>
  Number(b.type === 'NS') - Number(a.type === 'NS')

const unique = (records: readonly CustomerRecord[]): CustomerRecord[] => [
  ...new Map(records.map((record) => [keyOf(record), record])).values(),
]

/** The zone's content, with values. */
type WholeZone = Omit<ZoneContents, 'theirs'> & { theirs: readonly CustomerRecord[] }

function reasonAgainst(
  record: FileRecord,
  zone: WholeZone,
  objectionTo: ZoneDriver['objectionTo'],
): string | undefined {
  const { name, type, value, ttl } = record
  const apex = absolute(zone.domain)
  if (!isWithin(name, apex)) return `it lies outside ${zone.domain}`
  if (isHostRecord(type)) return 'it belongs to the former host of the zone'
  if (value === undefined) return NOT_HELD
  if (name === apex && (type === 'NS' || type === 'DS')) {
    return 'the delegation of the domain is kept by its parent'
  }
  const isThere = zone.theirs.some((each) => keyOf(each) === keyOf({ name, type, value, ttl }))
  if (isThere) return undefined
  const beside = zone.theirs.filter((each) => each.name === name && each.type === type)
  const data = [...beside.map((each) => each.value), value]
  return conflictOf({ name, type }, zone) ?? objectionTo({ name, type, ttl: clampTtl(ttl), data })
}
