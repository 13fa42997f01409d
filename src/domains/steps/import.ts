/**
 * Part of zone_ready: imports the records of the current nameservers, before the API shows ours.
 */
import type { RRset } from '#drivers/zone/contract.ts'
import { relative } from '#names/domain-name.ts'
import { isAnswer } from '#resolver/parent.ts'
import type { Rr } from '#resolver/reply.ts'
import { LookupFailed } from '#resolver/resolver.ts'
import type { Survey } from '#resolver/survey.ts'
import { minutes, seconds } from '../../clock.ts'
import { APEX_TYPES, furtherQuestions, importedFrom, leftOutOf, questionsAbout } from '../import.ts'
import type { ImportOutcome } from '../ports.ts'
import { askParentOnce, type Pass, waiting } from '../step.ts'
import type { Verdict } from '../types.ts'
import { IMPORTING } from '../waits.ts'
import { heldByHost } from './customers.ts'

/**
 * How long the import asks silent nameservers again. After that it gives up, because a move loses
 * no record that no server serves. With its last look, the import takes less than five minutes.
 */
const PATIENCE_MS = minutes(4)
/** The time limit of one look. */
const LOOK_LIMIT_MS = seconds(10)

/** Undefined once the import has ended: with records, without any, or because no server answers. */
export async function importRecords(pass: Pass): Promise<Verdict | undefined> {
  const { domain, ports } = pass
  if (!domain.importIsWanted) return undefined
  const found = await find(pass)
  if (found === undefined) {
    const sentence = `The nameservers that ${domain.name} has now do not answer, so what it serves is not known yet; we keep trying for some minutes.`
    return waiting(IMPORTING, sentence)
  }
  const { held } = heldByHost(ports.zone, found.records)
  await ports.customers.keepImported(domain, held, found.outcome)
  domain.importIsWanted = false
  domain.hasOwnRecords ||= held.length > 0
  return undefined
}

type Found = { records: ReturnType<typeof importedFrom>; outcome: ImportOutcome }

/** Undefined while a silent server may still answer. */
async function find(pass: Pass): Promise<Found | undefined> {
  const nothing = await whyNothing(pass)
  if (nothing) return { records: [], outcome: nothing }
  const { name } = pass.domain
  const { questions, nonexistentName } = questionsAbout(name)
  const survey = await surveyOf(pass, questions)
  if (survey === 'silent') {
    return isPatient(pass) ? undefined : { records: [], outcome: silentOutcome(name) }
  }
  const all = await withoutAlias(pass, survey.records)
  const records = importedFrom(name, nonexistentName, all)
  const { refused } = heldByHost(pass.ports.zone, records)
  const leftOut = [...leftOutOf(name, all), ...refused.map(label)]
  reportLeftOut(pass, leftOut)
  return { records, outcome: outcomeOf(survey, leftOut) }
}

/** Compares the clock, so that late looks count as well. */
const isPatient = ({ domain, ports }: Pass): boolean =>
  ports.clock.now().getTime() - domain.createdAt.getTime() < PATIENCE_MS

async function surveyOf(
  { domain, ports, signal }: Pass,
  questions: Parameters<typeof ports.surveyor.survey>[1]['questions'],
): Promise<Survey | 'silent'> {
  const { name } = domain
  const further = (found: readonly Rr[]) => furtherQuestions(name, found)
  // Our own nameservers may serve the zone of another claim, or a tombstone.
  const wanted = { questions, furtherQuestions: further, except: ports.custody.pool }
  const timeUp = AbortSignal.timeout(LOOK_LIMIT_MS)
  try {
    const survey = await ports.surveyor.survey(name, wanted, AbortSignal.any([signal, timeUp]))
    return survey.unanswered.length >= questions.length ? 'silent' : survey
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LookupFailed || timeUp.aborted) return 'silent'
    throw error
  }
}

/** The outcome if there is nothing to import: the name does not exist, or is delegated to us. */
async function whyNothing(pass: Pass): Promise<ImportOutcome | undefined> {
  const answers = (await askParentOnce(pass)).filter(isAnswer)
  const { pool } = pass.ports.custody
  const shown = answers.flatMap(({ nameservers }) => nameservers)
  if (answers.every(({ outcome }) => outcome === 'nxdomain')) return { state: 'done', note: '' }
  if (shown.length === 0 || !shown.every((each) => pool.includes(each))) return undefined
  const note = `${pass.domain.name} is delegated to nameservers of this installation already, so what it served elsewhere cannot be found.`
  return { state: 'incomplete', note }
}

const WHAT_TO_DO =
  'Before you change the nameservers, send the zone file in BIND format to POST …/import, or add what is missing.'

const silentOutcome = (name: string): ImportOutcome => ({
  state: 'incomplete',
  note: `No nameserver that ${name} has now answered. ${WHAT_TO_DO}`,
})

function outcomeOf({ isWhole, unanswered }: Survey, leftOut: readonly string[]): ImportOutcome {
  const left =
    leftOut.length > 0 ? `Left out, because no zone here holds it: ${listed(leftOut)}.` : ''
  if (isWhole) return { state: 'done', note: left }
  const silent = unanswered.map(({ name, type }) => `${type} of ${name}`)
  const notes = [
    'The nameservers that the name has now do not give the zone whole, so only the names that people usually have were asked for: this may be incomplete.',
    silent.length > 0 ? `Not answered: ${listed(silent)}.` : '',
    left,
    WHAT_TO_DO,
  ]
  return { state: 'incomplete', note: notes.filter(Boolean).join(' ') }
}

const LISTED = 20

const listed = (items: readonly string[]): string =>
  `${items.slice(0, LISTED).join(', ')}${items.length > LISTED ? ` and ${items.length - LISTED} more` : ''}`

const label = ({ type, name }: Pick<RRset, 'type' | 'name'>): string =>
  `${type} of ${relative(name)}`

function reportLeftOut({ addEvent }: Pass, leftOut: readonly string[]): void {
  if (leftOut.length === 0) return
  const message = `Not imported, because the zone host cannot hold it: ${listed(leftOut)}.`
  addEvent({ type: 'import.left_out', stage: 'zone_ready', message })
}

/**
 * A zone's apex cannot have a CNAME (RFC 1034 section 3.6.2): the records of its target replace it.
 */
async function withoutAlias({ domain, ports, signal, addEvent }: Pass, found: readonly Rr[]) {
  const { name } = domain
  const isAlias = (rr: Rr) => rr.name === name && rr.type === 'CNAME'
  const alias = found.find(isAlias)
  if (!alias) return found
  const led: Rr[] = []
  for (const type of APEX_TYPES) {
    const { records } = await ports.publicDns.resolve(name, type, signal)
    led.push(...records.map((rr) => ({ ...rr, name })))
  }
  const message = `${name} was an alias of ${relative(alias.data)}: what that leads to was copied, and does not follow it any more.`
  addEvent({ type: 'import.flattened', stage: 'zone_ready', message })
  return [...found.filter((rr) => !isAlias(rr)), ...led]
}
