/** Part of zone_ready: what the name served before is found, and the customer's own records are in the zone. */
import type { RRset } from '#drivers/zone/contract.ts'
import { relative } from '#names/domain-name.ts'
import { isAnswer } from '#resolver/parent.ts'
import type { Rr } from '#resolver/reply.ts'
import { LookupFailed } from '#resolver/resolver.ts'
import type { Asked } from '#resolver/survey.ts'
import { minutes } from '../../clock.ts'
import {
  type CustomerRecord,
  importedFrom,
  isDmarcOf,
  isMxOf,
  isSpfOf,
  keyOf,
  leftOutOf,
  questionsAbout,
  withCustomers,
} from '../customer-records.ts'
import { planZone } from '../plan.ts'
import type { OwnedRecord } from '../ports.ts'
import { askBefore, type Pass } from '../step.ts'

/** How long the present nameservers are given to answer: what nobody serves any more cannot be broken. */
const PATIENCE_MS = minutes(5)

/** Before the nameservers are shown to anybody: changing them must break nothing. */
export async function importRecords(pass: Pass): Promise<void> {
  const { domain, ports } = pass
  if (!domain.importIsWanted) return
  if (await hasNothing(pass)) return ports.customers.keepImported(domain, [], true)
  const { questions, stranger } = questionsAbout(domain.name)
  const survey = await surveyOf(pass, questions)
  const found = await withoutAlias(pass, survey.records)
  const { held, objected } = sorted(pass, importedFrom(domain.name, stranger, found))
  tellLeftOut(pass, [
    ...leftOutOf(domain.name, found),
    ...objected.map(({ type, name }) => `${type} of ${relative(name)}`),
  ])
  await ports.customers.keepImported(domain, held, survey.isComplete)
  domain.hasOwnRecords ||= held.length > 0
}

/** By whether the zone host can hold them. */
function sorted({ ports }: Pass, records: readonly CustomerRecord[]) {
  const hasObjection = ({ name, type, ttl, value }: CustomerRecord) =>
    ports.zone.objectionTo({ name, type, ttl, data: [value] }) !== undefined
  const { held = [], objected = [] } = Object.groupBy(records, (record) =>
    hasObjection(record) ? 'objected' : 'held',
  )
  return { held, objected }
}

const TOLD = 20

function tellLeftOut({ tell }: Pass, leftOut: readonly string[]): void {
  if (leftOut.length === 0) return
  const rest = leftOut.length > TOLD ? ' and others' : ''
  const message = `Not taken along, for the zone host does not hold such: ${leftOut.slice(0, TOLD).join(', ')}${rest}.`
  tell({ type: 'import.left_out', stage: 'zone_ready', message })
}

/**
 * A name that its parent does not know serves nothing. What servers of ours answer for it is another
 * claim's, or a tombstone: nothing of the customer's.
 */
async function hasNothing(pass: Pass): Promise<boolean> {
  const answers = (await askBefore(pass)).filter(isAnswer)
  const { pool } = pass.ports.custody
  return (
    answers.every(({ outcome }) => outcome === 'nxdomain') ||
    answers.some(({ nameservers }) => nameservers.some((each) => pool.includes(each)))
  )
}

/** Whole, or as much as can be had once patience is over. */
async function surveyOf({ domain, ports, signal }: Pass, questions: readonly Asked[]) {
  const { name, createdAt } = domain
  const isPatient = ports.clock.now().getTime() - createdAt.getTime() < PATIENCE_MS
  try {
    const survey = await ports.surveyor.survey(name, questions, signal)
    if (survey.isComplete || !isPatient) return survey
  } catch (error) {
    if (isPatient || !(error instanceof LookupFailed)) throw error
    return { records: [], isComplete: false }
  }
  throw new LookupFailed(`The nameservers that ${name} has now leave questions unanswered.`)
}

const APEX_TYPES = ['A', 'AAAA', 'MX', 'TXT', 'CAA'] as const

/** No alias can stand at the apex of a zone (RFC 1034 section 3.6.2): what it leads to now stands in for it. */
async function withoutAlias({ domain, ports, signal, tell }: Pass, found: readonly Rr[]) {
  const { name } = domain
  const isAlias = (rr: Rr) => rr.name === name && rr.type === 'CNAME'
  const alias = found.find(isAlias)
  if (!alias) return found
  const led: Rr[] = []
  for (const type of APEX_TYPES) {
    const { records } = await ports.publicDns.resolve(name, type, signal)
    led.push(...records.map((rr) => ({ ...rr, name })))
  }
  const message = `${name} was an alias of ${alias.data}: what that leads to was copied, and does not follow it any more.`
  tell({ type: 'import.flattened', stage: 'zone_ready', message })
  return [...found.filter((rr) => !isAlias(rr)), ...led]
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
  // Until then, what was found may still be served to whoever comes here early.
  if (domain.activatedAt) await ports.customers.forget(domain, absentFrom(current, gone))
}

const absentFrom = (current: readonly RRset[], records: readonly CustomerRecord[]) =>
  records.filter(
    ({ name, type, value }) =>
      !current.some(
        (each) => each.name === name && each.type === type && each.data.includes(value),
      ),
  )

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
  all: readonly CustomerRecord[]
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
    all: wanted,
  }
}
