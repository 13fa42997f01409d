/** Part of records_published: whether receivers can apply the customer's own SPF and DMARC policies. */
import { absolute, relative } from '#names/domain-name.ts'
import { dmarcFault } from '#policy/dmarc.ts'
import {
  allOf,
  brokenTermsOf,
  excessOf,
  list,
  type SpfCost,
  shown,
  spfLookups,
} from '#policy/spf.ts'
import { LookupFailed } from '#resolver/resolver.ts'
import { hours } from '../../clock.ts'
import { type CustomerRecord, isDmarcOf } from '../customer-records.ts'
import type { OwnedRecord } from '../ports.ts'
import { spfCosts } from '../spf-costs.ts'
import { spread } from '../spread.ts'
import { failed, type Pass, waiting } from '../step.ts'
import type { Domain, Verdict } from '../types.ts'
import type { CustomersMail } from './customers.ts'

/**
 * Policies depend on other domains through `include` and aliases. While all is met, those are checked this
 * often, so that a routine look asks little.
 */
const FOLLOWED_EVERY_MS = hours(6)

/**
 * `verdict` says why receivers cannot apply the customer's policies; undefined: they can. `records` are
 * those to publish; undefined: none, until this is corrected.
 */
export type PolicyReport =
  | { verdict: Verdict | undefined; records: readonly OwnedRecord[] }
  | { verdict: Verdict; records: undefined }

export async function reportOnPolicies(
  pass: Pass,
  theirs: CustomersMail,
  planned: readonly OwnedRecord[],
): Promise<PolicyReport> {
  // Most customers have no policies of their own: nothing to check.
  if (theirs.spf.length === 0 && !theirs.hasDmarc) return { verdict: undefined, records: planned }
  const spf = planned.find((record) => isPolicyOf(pass, record))
  const former = (await pass.ports.records.list(pass.domain)).find((each) => isPolicyOf(pass, each))
  const isNew = former?.value !== spf?.value
  const verdict =
    severalSpf(pass, theirs) ??
    brokenSpf(pass, theirs) ??
    severalDmarc(pass, theirs) ??
    (await followed(pass, theirs, spf, isNew))
  if (verdict === undefined || !isNew) return { verdict, records: planned }
  // The former, valid policy stays, with all other records.
  const others = planned.filter((record) => record !== spf)
  return former ? { verdict, records: [...others, former] } : { verdict, records: undefined }
}

const isPolicyOf = ({ domain }: Pass, { name, purpose }: OwnedRecord): boolean =>
  purpose === 'spf' && name === absolute(domain.name)

/** RFC 7208 section 3.2: several records are a permerror. */
function severalSpf({ domain }: Pass, { spf }: CustomersMail): Verdict | undefined {
  if (spf.length <= 1) return undefined
  const sentence = `${domain.name} has ${spf.length} SPF policies of yours, and receivers apply none of several: ${quoted(spf)}. Keep one of them; we add ours to it.`
  return waiting('spf_invalid', sentence)
}

/** RFC 7208 section 4.6: one broken term makes the whole record a permerror. */
function brokenSpf({ domain }: Pass, { spf }: CustomersMail): Verdict | undefined {
  const terms = spf.flatMap(({ value }) => brokenTermsOf(value))
  if (terms.length === 0) return undefined
  const reasons = terms
    .slice(0, MAX_NAMED_TERMS)
    .map(({ written, why }) => `${shown(written)} (${shown(why)})`)
  const rest = terms.length > MAX_NAMED_TERMS ? ' and others' : ''
  const sentence = `Your SPF policy of ${domain.name} has broken terms, and receivers then ignore all of it: ${reasons.join('; ')}${rest}. Correct them or take them out.`
  return waiting('spf_invalid', sentence)
}

const MAX_NAMED_TERMS = 10

const dmarcOf = ({ domain }: Pass, { all }: CustomersMail) =>
  all.filter((record) => isDmarcOf(domain.name, record))

function severalDmarc(pass: Pass, theirs: CustomersMail): Verdict | undefined {
  const texts = dmarcOf(pass, theirs).filter(({ type }) => type === 'TXT')
  const fault = texts.length > 0 ? dmarcFault(texts.map(({ value }) => value)) : undefined
  if (fault === undefined) return undefined
  return dmarcInvalid(pass, `${fault}: ${quoted(texts)}`)
}

const dmarcInvalid = ({ domain }: Pass, fault: string): Verdict =>
  waiting(
    'dmarc_invalid',
    `Your DMARC policy at _dmarc.${domain.name} does not work: ${fault}. Correct it, or remove all of it to have ours.`,
  )

const quoted = (records: readonly CustomerRecord[]): string =>
  list(records.map(({ value }) => `"${shown(value)}"`))

/** What only queries show: what includes cost, and what an alias leads to. */
async function followed(
  pass: Pass,
  theirs: CustomersMail,
  spf: OwnedRecord | undefined,
  isNew: boolean,
): Promise<Verdict | undefined> {
  if (!isNew && !isDue(pass.domain, pass.ports.clock.now())) return undefined
  try {
    const alias = dmarcOf(pass, theirs).find(({ type }) => type === 'CNAME')
    const lost = alias && (await dmarcBehind(pass, alias))
    if (lost) return lost
    // We know the length of a policy of ours alone.
    return spf && theirs.spf.length > 0 ? await spfBehind(pass, spf.value, isNew) : undefined
  } catch (error) {
    // A failed query changes no verdict, and the published records are still maintained.
    if (isNew || !(error instanceof LookupFailed)) throw error
    return foundBefore(pass)
  }
}

function foundBefore({ domain }: Pass): Verdict | undefined {
  const verdict = domain.conditions.get('records_published')?.verdict
  const reason = verdict && 'reason' in verdict ? verdict.reason : ''
  return ['spf_too_long', 'dmarc_invalid'].includes(reason) ? verdict : undefined
}

/** Until the condition is met, on request, and in the first pass of each quarter of a day. */
export function isDue({ id, conditions, askedAt }: Domain, now: Date): boolean {
  const condition = conditions.get('records_published')
  if (condition?.verdict.is !== 'met' || !condition.lastLookAt) return true
  if (condition.lastLookAt < askedAt) return true
  const quarterOf = (time: Date) => Math.floor(time.getTime() / FOLLOWED_EVERY_MS + spread(id))
  return quarterOf(now) > quarterOf(condition.lastLookAt)
}

/** RFC 9989 section 4.10: receivers follow the alias, and apply what they find there or nothing. */
async function dmarcBehind(pass: Pass, alias: CustomerRecord): Promise<Verdict | undefined> {
  const target = relative(alias.value)
  const fault =
    alias.name === absolute(target) ? 'that is itself' : dmarcFault(await textsAt(pass, target))
  if (fault === undefined) return undefined
  return dmarcInvalid(pass, `it is an alias of ${shown(target)}, and ${fault}`)
}

async function textsAt({ domain, ports, signal }: Pass, target: string): Promise<string[]> {
  try {
    const { records } = await ports.publicDns.resolve(target, 'TXT', signal)
    return records.map(({ data }) => data)
  } catch (cause) {
    if (!(cause instanceof LookupFailed)) throw cause
    const sentence = `The servers of ${shown(target)}, of which _dmarc.${domain.name} is an alias, do not answer; remove the alias to have a DMARC policy of ours.`
    throw new LookupFailed(sentence, { cause })
  }
}

async function spfBehind(pass: Pass, policy: string, isNew: boolean): Promise<Verdict | undefined> {
  const { domain, ports, needs, signal } = pass
  const costs = await spfCosts(domain.name, policy, ports.publicDns, signal)
  const ours = [...needs.values()].flat().filter(({ purpose }) => purpose === 'spf')
  const ourTerms = ours.flatMap(({ data }) => data.flatMap(spfLookups))
  const excess = excessOf(domain.name, costs, (term) => ourTerms.includes(term))
  if (excess !== undefined) return failed('spf_too_long', excess)
  const unasked = allOf(costs).find((cost) => cost.unasked !== undefined)
  // An unanswered query can only add cost: a policy too long stays so, others are unknown.
  if (unasked) throw couldNotFollow(domain.name, unasked)
  if (isNew) reportFaults(pass, costs)
  return undefined
}

const couldNotFollow = (name: string, { term, unasked }: SpfCost): LookupFailed =>
  new LookupFailed(
    `The servers of ${unasked}, to which ${shown(term)} in the SPF policy of ${name} leads, do not answer; take it out if it is not needed any more.`,
  )

/**
 * RFC 7208 section 5.2: an `include` that leads to no valid policy is a permerror for each message that no
 * term before it matches. The old policy had that fault too, our terms come first, and its owner may
 * correct it: the timeline shows it, once for each policy, and the domain does not wait.
 */
function reportFaults({ domain, addEvent }: Pass, costs: readonly SpfCost[]): void {
  const faults = allOf(costs).flatMap(({ term, fault }) => (fault ? [`${term} (${fault})`] : []))
  if (faults.length === 0) return
  const message = `In the SPF policy of ${domain.name} these terms lead to no valid policy, and receivers treat that as an error: ${list(faults)}. Remove what is no longer needed.`
  addEvent({ type: 'spf.include_broken', stage: 'records_published', message })
}
