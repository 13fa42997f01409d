/** What the parent's answers mean for a claim. Pure. The API shows the report unchanged. */
import {
  isAnswer,
  type ParentAnswer,
  type ParentLook,
  type ParentOutcome,
} from '#resolver/parent.ts'
import type { EnclosingZone } from './enclosing.ts'
import type { DelegationReport, DelegationVerdict, ServerReport } from './types.ts'

export type Expectation = { name: string; pair: readonly string[]; pool: readonly string[] }

/** Judges the answers of one or all of the parent's servers. `unknown` when none answered. */
export function judge(look: ParentLook, expectation: Expectation, now: Date): DelegationReport {
  const answers = look.answers.filter(isAnswer)
  const verdict = verdictOf(look.answers, answers, expectation)
  const observed = [...new Set(answers.flatMap((answer) => answer.nameservers))].toSorted()
  return {
    verdict,
    message: sentence(verdict, expectation, observed, look.parent),
    expected: expectation.pair,
    observed,
    servers: look.answers.map(reportOf),
    checkedAt: now.toISOString(),
    settledAt: null,
    keptForS: Math.max(0, ...answers.map(({ ttl }) => ttl ?? 0)),
  }
}

/** The same report, when not all of the pair answer for the name. */
export const lameReport = (
  report: DelegationReport,
  expectation: Expectation,
  { parent, answers }: { parent: string; answers: readonly ParentAnswer[] },
): DelegationReport => ({
  ...report,
  verdict: 'lame',
  message: sentence('lame', expectation, report.observed, parent),
  servers: answers.map(reportOf),
})

/** RFC 9499 section 7: whether one of the servers does not answer authoritatively. */
export const isLame = (answers: readonly ParentAnswer[]): boolean =>
  answers.some(({ outcome }) => NOT_SERVING.includes(outcome))

const NOT_SERVING: readonly ParentOutcome[] = [
  'nxdomain',
  'no_cut',
  'delegated',
  'refused',
  'servfail',
  'malformed',
]

/** The same report, when nonexistent names get the same answer: it proves nothing. */
export const wildcardReport = (
  report: DelegationReport,
  expectation: Expectation,
  parent: string,
) => ({
  ...report,
  verdict: 'wildcard' as const,
  message: sentence('wildcard', expectation, report.observed, parent),
})

/** Whether two thirds of the servers answered, and every answer shows exactly the pair. */
export function provesPair(look: ParentLook, { pair }: Expectation): boolean {
  const answers = look.answers.filter(isAnswer)
  // A server with two addresses has answered when one of them has.
  const answering = new Set(answers.map(({ name }) => name)).size
  if (answering === 0 || answering * 3 < look.serverCount * 2) return false
  return answers.every(
    ({ outcome, nameservers }) => outcome === 'delegated' && isSamePair(nameservers, pair),
  )
}

function verdictOf(
  all: readonly ParentAnswer[],
  answers: readonly ParentAnswer[],
  expectation: Expectation,
): DelegationVerdict {
  if (all.some(({ outcome }) => outcome === 'intercepted')) return 'intercepted'
  const verdicts = new Set(answers.map((answer) => verdictOfOne(answer, expectation)))
  if (verdicts.size > 1) return 'propagating'
  return [...verdicts][0] ?? 'unknown'
}

function verdictOfOne(answer: ParentAnswer, { pair, pool }: Expectation): DelegationVerdict {
  const shown = answer.nameservers
  if (answer.outcome === 'nxdomain') return 'not_published'
  if (answer.outcome === 'no_cut') return 'not_delegated'
  // An authoritative answer is the child zone's, never the parent's.
  if (answer.outcome === 'authoritative') return 'elsewhere'
  if (isSamePair(shown, pair)) return answer.ds.length > 0 ? 'ds_left_over' : 'delegated'
  // Pairs may share a name: two names of the pool are another claim's pair, one is half of ours.
  const isPair = new Set(shown).size === pair.length && shown.every((name) => pool.includes(name))
  if (!isPair && shown.some((name) => pair.includes(name))) return 'partial'
  return shown.some((name) => pool.includes(name)) ? 'wrong_pair' : 'elsewhere'
}

/** The order of nameservers means nothing. */
export const isSamePair = (a: readonly string[], b: readonly string[]): boolean =>
  a.length > 0 && new Set(a).symmetricDifference(new Set(b)).size === 0

/** Whether the parent shows the pair, lame or not. */
const isAtPair = ({ verdict }: DelegationReport): boolean =>
  verdict === 'delegated' || verdict === 'lame'

/**
 * Adds `settledAt`, when the last cached former delegation expires: caches may have got it when it was last
 * seen, and keep it for its TTL. Without a former report, the TTL seen now counts.
 */
export function withSettledAt(
  report: DelegationReport,
  former: DelegationReport | undefined,
  formerSeenAt: Date,
): DelegationReport {
  if (former && isAtPair(former) && isAtPair(report)) {
    // A delegation seen briefly in between may be cached, too.
    const settledAt = [former.settledAt ?? [], former.keptUntil ?? []].flat().toSorted().at(-1)
    return { ...report, settledAt: settledAt ?? null }
  }
  const ofFormer = former && !isAtPair(former) ? [secondsAfter(formerSeenAt, former.keptForS)] : []
  const keptUntil = [former?.keptUntil ?? [], ofFormer].flat().toSorted().at(-1)
  if (!isAtPair(report)) return { ...report, ...(keptUntil ? { keptUntil } : {}) }
  const settledAt = keptUntil ?? secondsAfter(new Date(report.checkedAt), report.keptForS)
  return { ...report, settledAt }
}

export const secondsAfter = (at: Date, seconds = 0): string =>
  new Date(at.getTime() + seconds * 1000).toISOString()

/** The verdict as a sentence: what the parent shows, and what to do. No times, no counts. */
function sentence(
  verdict: DelegationVerdict,
  { name, pair }: Expectation,
  observed: readonly string[],
  parent: string,
): string {
  const set = `set ${and(pair)} as the only nameservers of ${name} at your registrar`
  const above = parent === '' ? 'The root zone' : `The zone ${parent}`
  // biome-ignore format: a table
  const sentences: Record<DelegationVerdict, string> = {
    delegated: `${above} delegates ${name} to ${and(pair)}.`,
    elsewhere: `${name} is delegated to ${and(observed) || 'other servers'}: ${set}.`,
    partial: `${above} shows ${and(observed)}, which is not exactly the pair: ${set}.`,
    wrong_pair: `${above} shows ${and(observed)}, nameservers of ours that belong to another claim on this name: ${set}.`,
    not_delegated: `${above} does not delegate ${name} yet: ${set}.`,
    not_published: `${above} does not know ${name}: it is not registered, on hold, or has no nameservers; ${set}.`,
    propagating: `The servers of ${parent || 'the root'} do not agree yet; the change is on its way.`,
    lame: `${above} delegates ${name} to ${and(pair)}, but not all of them answer for it with authority.`,
    ds_left_over: `${above} still publishes a DS record for ${name}, which breaks it for validating resolvers: remove DNSSEC at your registrar.`,
    shadowed: `${name} lies inside a zone that is hosted here: have its owner delegate ${name} to ${and(pair)} there.`,
    inside_your_zone: `${name} lies inside your own zone hosted here: delegate ${name} to ${and(pair)} there.`,
    intercepted: 'Something else answers in the place of the root servers; the network we ask through is not neutral.',
    wildcard: `${above} answers alike for names that nobody has: what it shows for ${name} proves nothing; ${set}.`,
    unknown: `The servers above ${name} do not answer at the moment.`,
  }
  return sentences[verdict]
}

const and = (names: readonly string[]): string => names.join(' and ')

function reportOf({ ds: _ds, ...answer }: ParentAnswer): ServerReport {
  return answer
}

/** Caches keep no NS rrset of a zone hosted here, or its absence, longer. */
const INSIDE_TTL_S = 3600

/** The report for a name inside a zone hosted here: read from that zone's rows, not from the wire. */
export function judgeInside(
  zone: EnclosingZone,
  expectation: Expectation,
  now: Date,
): DelegationReport {
  const verdict = isSamePair(zone.cut, expectation.pair)
    ? 'delegated'
    : zone.sameWorkspace
      ? 'inside_your_zone'
      : 'shadowed'
  return {
    verdict,
    message: sentence(verdict, expectation, zone.cut, zone.sameWorkspace ? zone.name : 'above it'),
    expected: expectation.pair,
    observed: zone.sameWorkspace ? zone.cut : [],
    servers: [],
    checkedAt: now.toISOString(),
    settledAt: null,
    keptForS: INSIDE_TTL_S,
  }
}
