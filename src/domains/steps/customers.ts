/** Part of zone_ready: what the name served before is found, and the customer's own records are in the zone. */
import {
  type CustomerRecord,
  importedFrom,
  isDmarcOf,
  isMxOf,
  isSpfOf,
  keyOf,
  questionsAbout,
  withCustomers,
} from '../customer-records.ts'
import { planZone } from '../plan.ts'
import type { OwnedRecord, Ports } from '../ports.ts'
import type { Pass } from '../step.ts'

/** Before the nameservers are shown to anybody: changing them must break nothing. */
export async function importRecords({ domain, ports, signal }: Pass): Promise<void> {
  if (!domain.importIsWanted) return
  if (await isServedHere(domain.name, ports, signal))
    return ports.customers.keepImported(domain, [])
  const { questions, stranger } = questionsAbout(domain.name)
  const found = await ports.surveyor.survey(domain.name, questions, signal)
  const records = importedFrom(domain.name, stranger, found).filter(
    ({ name, type, ttl, value }) =>
      ports.zone.objectionTo({ name, type, ttl, data: [value] }) === undefined,
  )
  await ports.customers.keepImported(domain, records)
  domain.hasOwnRecords ||= records.length > 0
}

/** What servers of ours answer for the name is another claim's, or a tombstone: nothing of the customer's. */
async function isServedHere(name: string, { observer, custody }: Ports, signal: AbortSignal) {
  const { answers } = await observer.look(name, 'one', 'asked', signal)
  return answers.some(({ nameservers }) => nameservers.some((each) => custody.pool.includes(each)))
}

/** Puts and takes out the customer's values; leaves alone what is ours, and what others put. */
export async function publishCustomers(pass: Pass): Promise<void> {
  const { domain, ports, signal } = pass
  if (!domain.hasOwnRecords) return
  const { wanted, unwanted } = await ports.customers.list(domain)
  const current = await ports.zone.readZone(domain.claim, signal)
  if (current === undefined) return
  const ours = await ports.records.list(domain)
  const replaced = wanted.filter((record) => isReplaced(record, ours, domain.name))
  const standing = wanted.filter((record) => !replaced.includes(record))
  // What the customer takes out may be what we put in as well: then it stays.
  const gone = unwanted.filter((record) => !ours.some((own) => keyOf(own) === keyOf(record)))
  const desired = withCustomers(current, standing, [...gone, ...replaced])
  const changes = planZone(current, desired)
  if (changes.length > 0) await ports.zone.changeZone(domain.claim, changes, signal)
}

/** Once an SPF policy of ours is published, the customer's is part of it. */
function isReplaced(record: CustomerRecord, ours: readonly OwnedRecord[], name: string): boolean {
  return (
    isSpfOf(name, record) &&
    ours.some(({ purpose }) => purpose === 'spf') &&
    !ours.some(({ value }) => value === record.value)
  )
}

/** What of the customer's own bears on the records of mail. */
export type CustomersMail = {
  mx: readonly CustomerRecord[]
  spf: readonly CustomerRecord[]
  hasDmarc: boolean
}

export async function customersMail({ domain, ports, needs }: Pass): Promise<CustomersMail> {
  const { wanted } = await ports.customers.list(domain)
  const ours = [...needs.values()]
    .flat()
    .flatMap(({ data, ...rest }) => data.map((value) => keyOf({ ...rest, value })))
  return {
    // Mail that comes to us by a record of the customer's comes to us.
    mx: wanted.filter((record) => isMxOf(domain.name, record) && !ours.includes(keyOf(record))),
    spf: wanted.filter((record) => isSpfOf(domain.name, record)),
    hasDmarc: wanted.some((record) => isDmarcOf(domain.name, record)),
  }
}
