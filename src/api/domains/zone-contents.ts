/** The records in a domain's zone, as input of the rules of coexistence. */
import { conflictOf, type ZoneContents } from '#domains/coexist.ts'
import type { RRsetType } from '#drivers/zone/contract.ts'
import { type CustomerRecordRow, listCustomerRecords } from '#store/customer-records.ts'
import type { Queryable } from '#store/database.ts'
import { type DomainRow, type RecordRow, recordsOf } from '#store/domains.ts'
import { Problem } from '../http/problems.ts'

/** Limits the customer's records of a domain, because a pass reads and writes the whole zone. */
export const MAX_OWN_RECORDS = 1000

export function zoneContentsOf(
  domain: DomainRow,
  ours: readonly RecordRow[],
  theirs: readonly CustomerRecordRow[],
) {
  return {
    domain: domain.name,
    // Our bounce records yield to the customer's.
    ours: ours.filter(({ purpose }) => purpose !== 'bounce').map(recordOf),
    theirs: theirs.map(recordOf),
    takesMail: domain.take_mail || ours.some(({ purpose }) => purpose === 'mx'),
  }
}

/** Reads the records in the zone of a locked domain. */
export const readZoneContents = async (held: Queryable, domain: DomainRow) =>
  zoneContentsOf(
    domain,
    await recordsOf(held, domain.id),
    await listCustomerRecords(held, domain.id),
  )

/** Throws `record_conflict`, with the reason, when the zone cannot hold the record. */
export function refuseConflict(
  record: { name: string; type: RRsetType },
  zone: ZoneContents,
): void {
  const reason = conflictOf(record, zone)
  if (reason) throw new Problem('record_conflict', { reason })
}

const recordOf = ({ name, type, value, ttl }: RecordRow | CustomerRecordRow) => ({
  name,
  type: type as RRsetType,
  value,
  ttl,
})
