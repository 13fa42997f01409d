/** The records in a domain's zone, as input of the rules of coexistence. */
import type { RRsetType } from '#drivers/zone/contract.ts'
import type { CustomerRecordRow } from '#store/customer-records.ts'
import type { DomainRow, RecordRow } from '#store/domains.ts'

/** How many own records a domain may have. A zone is read and written whole, so there is a limit. */
export const RECORDS = 1000

export function standingIn(
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

const recordOf = ({ name, type, value, ttl }: RecordRow | CustomerRecordRow) => ({
  name,
  type: type as RRsetType,
  value,
  ttl,
})
