/** Part of zone_ready: what the name served before is found, and the customer's own records are in the zone. */
import {
  importedFrom,
  isDmarcOf,
  isMxOf,
  isSpfOf,
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
}

/** What servers of ours answer for the name is another claim's, or a tombstone: nothing of the customer's. */
async function isServedHere(name: string, { observer, custody }: Ports, signal: AbortSignal) {
  const { answers } = await observer.look(name, 'one', 'asked', signal)
  return answers.some(({ nameservers }) => nameservers.some((each) => custody.pool.includes(each)))
}

/** Puts and takes out the customer's values; leaves alone what is ours, and what others put. */
export async function publishCustomers(pass: Pass): Promise<void> {
  const { domain, ports, signal } = pass
  const { wanted, unwanted } = await ports.customers.list(domain)
  if (wanted.length === 0 && unwanted.length === 0) return
  const current = await ports.zone.readZone(domain.claim, signal)
  if (current === undefined) return
  const ours = await ports.records.list(domain)
  const standing = wanted.filter((record) => !isReplaced(record, ours, domain.name))
  const changes = planZone(
    current,
    withCustomers(current, standing, [...unwanted, ...replaced(pass, wanted, ours)]),
  )
  if (changes.length > 0) await ports.zone.changeZone(domain.claim, changes, signal)
}

type Own = readonly OwnedRecord[]
type Customers = Awaited<ReturnType<Pass['ports']['customers']['list']>>['wanted']

/** Once ours is published, the customer's SPF policy is part of it, and a DMARC record of ours gives way. */
function isReplaced(record: Customers[number], ours: Own, name: string): boolean {
  return (
    isSpfOf(name, record) &&
    ours.some(({ purpose }) => purpose === 'spf') &&
    !ours.some(({ value }) => value === record.value)
  )
}

const replaced = ({ domain }: Pass, wanted: Customers, ours: Own): Customers =>
  wanted.filter((record) => isReplaced(record, ours, domain.name))

/** What of the customer's own bears on the records of mail. */
export async function customersMail({ domain, ports }: Pass) {
  const { wanted } = await ports.customers.list(domain)
  return {
    mx: wanted.filter((record) => isMxOf(domain.name, record)),
    spf: wanted.filter((record) => isSpfOf(domain.name, record)),
    hasDmarc: wanted.some((record) => isDmarcOf(domain.name, record)),
  }
}
