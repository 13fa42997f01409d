/** Which records can stand in one zone: the customer's with each other, and beside ours. Pure. */
import { absolute } from '#names/domain-name.ts'
import { type CustomerRecord, hides, namesOfOurs, standsAlone } from './customer-records.ts'

type RecordKey = Pick<CustomerRecord, 'name' | 'type'>

/** The records in a domain's zone; `takesMail`: its mail comes here, or will. */
export type ZoneContents = {
  domain: string
  ours: readonly RecordKey[]
  theirs: readonly RecordKey[]
  takesMail: boolean
}

/** Why the zone cannot hold a customer's record, as a sentence; undefined if it can. */
export function conflictOf({ name, type }: RecordKey, zone: ZoneContents): string | undefined {
  const apex = absolute(zone.domain)
  const beside = [...zone.ours, ...zone.theirs].filter((each) => each.name === name)
  // The apex has a SOA and NS records.
  if (standsAlone({ type }) && name === apex) return 'An alias cannot stand at the domain itself.'
  if (standsAlone({ type }) && beside.length > 0)
    return `An alias cannot stand beside ${beside[0]!.type} of ${name}.`
  if (beside.some(standsAlone)) return `Beside the alias at ${name} nothing else can stand.`
  if (type === 'MX' && name === apex && zone.takesMail) {
    return 'Mail of the domain comes here, so another MX of it cannot stand beside ours.'
  }
  const hidden = namesOfOurs(zone.domain, zone.ours).find((each) =>
    hides({ name, type }, each, apex),
  )
  if (hidden) return `A delegation of ${name} would hide our records at and below it.`
  // RFC 4035 section 2.4: a DS exists only at a delegation.
  if (type === 'DS' && !zone.theirs.some((each) => each.type === 'NS' && each.name === name)) {
    return `A DS stands beside the NS records that delegate its name, and ${name} has none.`
  }
  return undefined
}
