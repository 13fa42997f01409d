/** delegated: the parent's own servers show exactly this claim's pair. */

import { randomBytes } from 'node:crypto'
import type { Urgency } from '#resolver/pace.ts'
import { isAnswer } from '#resolver/parent.ts'
import { LookupFailed } from '#resolver/resolver.ts'
import { minutes } from '../../clock.ts'
import {
  type Expectation,
  isLame,
  isSamePair,
  judge,
  judgeInside,
  lameReport,
  provesPair,
  secondsAfter,
  wildcardReport,
  withSettledAt,
} from '../delegation.ts'
import { enclosingZone } from '../enclosing.ts'
import { CouldNotAsk, met, type Pass, type Step, waiting } from '../step.ts'
import type { DelegationReport, DelegationVerdict, Domain, Verdict } from '../types.ts'

/** A delegation counts as lost only when a look this much later confirms it. */
export const CONFIRM_LOSS_AFTER_MS = minutes(10)
const ASKED_FOR_MS = minutes(10)

export const delegation: Step = {
  async ensure(pass) {
    const report = await observeDelegation(pass)
    const kept = await keepThroughFirstLoss(pass, report)
    pass.report(kept)
    return verdictOf(pass, kept)
  },
}

/** Looks, and makes the claim the holder of its name when the parent shows its pair. */
export async function observeDelegation(pass: Pass): Promise<DelegationReport> {
  const { domain, ports } = pass
  const report = await observe(pass)
  if (report.verdict === 'unknown') throw new CouldNotAsk(domain.name)
  // The parent's NS set alone proves the claim; a left-over DS is another problem.
  if (SHOWS_PAIR.includes(report.verdict)) {
    await ports.custody.confirm(domain.claim)
  }
  await updatePointsAtPool(pass, report.servers)
  return report
}

const SHOWS_PAIR: readonly DelegationVerdict[] = ['delegated', 'lame', 'ds_left_over']

/**
 * Stores whether the parent shows names of the pool other than the claim's pair. Servers of the parent that
 * already show the pair do not count.
 */
export async function updatePointsAtPool(
  { domain, ports: { custody } }: Pass,
  servers: readonly { nameservers: readonly string[] }[],
): Promise<void> {
  const pointsAtPool = servers
    .filter(({ nameservers }) => !isSamePair(nameservers, domain.claim.nameservers))
    .some(({ nameservers }) => nameservers.some((name) => custody.pool.includes(name)))
  if (pointsAtPool === domain.pointsAtPool) return
  await custody.setPointsAtPool(domain.claim, pointsAtPool)
  domain.pointsAtPool = pointsAtPool
}

function verdictOf({ domain }: Pass, report: DelegationReport): Verdict {
  if (report.verdict !== 'delegated') return waiting(report.verdict, report.message)
  if (domain.mayActivate) return met
  return waiting('awaiting_activation', `${report.message} The mail services wait for your word.`)
}

/** Looks at one server; at all servers over TCP to confirm a change, or on request. */
async function observe(pass: Pass): Promise<DelegationReport> {
  const { domain } = pass
  const former = domain.delegation
  const report = await observeParent(pass)
  if (report === former) return { ...former, checkedAt: pass.ports.clock.now().toISOString() }
  const seenAt = domain.conditions.get('delegated')?.lastLookAt ?? new Date(former?.checkedAt ?? 0)
  return withSettledAt(report, former, seenAt)
}

/** Returns the former report itself if nothing has changed, and no one requested a look. */
async function observeParent(pass: Pass): Promise<DelegationReport> {
  const { domain, ports, signal } = pass
  const { name, claim, delegation: former } = domain
  const expectation: Expectation = { name, pair: claim.nameservers, pool: ports.custody.pool }
  const enclosing = await enclosingZone(claim, ports, signal)
  if (enclosing) return judgeInside(enclosing, expectation, ports.clock.now())
  const now = ports.clock.now()
  const urgency = urgencyOf(domain, now)
  if (former !== undefined && !isAskedAnew(domain)) {
    const one = await ports.observer.look(name, 'one', urgency, signal)
    if (isSame(former, judge(one, expectation, now)))
      return unlessLame(pass, former, expectation, one)
  }
  const look = await ports.observer.look(name, 'all', urgency, signal)
  const second = judge(look, expectation, ports.clock.now())
  const claimed = second.verdict === 'delegated' || second.verdict === 'ds_left_over'
  // Too few servers answered to be sure: nothing new is known.
  if (claimed && !provesPair(look, expectation)) return { ...second, verdict: 'unknown' }
  if (!claimed)
    return { ...second, keptForS: Math.max(second.keptForS, await childTtl(pass, second)) }
  if (await ports.custody.holds(claim)) return unlessLame(pass, second, expectation, look)
  return (await isAnsweredAlike(pass, look))
    ? wildcardReport(second, expectation, look.parent)
    : second
}

/**
 * An established delegation is lame when servers of the pair do not answer for the name. The first look
 * does not ask them: our servers begin to serve the name after it.
 */
async function unlessLame(
  { domain, ports, signal }: Pass,
  report: DelegationReport,
  expectation: Expectation,
  { parent }: { parent: string },
): Promise<DelegationReport> {
  if (report.verdict !== 'delegated' || !isEstablished(domain)) return report
  const answers = await ports.observer.serving(domain.name, expectation.pair, signal)
  return isLame(answers) ? lameReport(report, expectation, { parent, answers }) : report
}

function isEstablished({ conditions }: Domain): boolean {
  const verdict = conditions.get('delegated')?.verdict
  return verdict?.is === 'met' || (verdict?.is === 'waiting' && verdict.reason === 'lame')
}

/** RFC 2181 section 5.4.1: caches trust the zone's own NS set more than the parent's, and keep it instead. */
async function childTtl(
  { domain, ports, signal }: Pass,
  { observed }: DelegationReport,
): Promise<number> {
  if (observed.every((name) => ports.custody.pool.includes(name))) return 0
  try {
    const { records } = await ports.publicDns.resolve(domain.name, 'NS', signal)
    return Math.max(0, ...records.map(({ ttl }) => ttl))
  } catch (error) {
    if (error instanceof LookupFailed) return 0
    throw error
  }
}

/** Whether the parent shows the pair for a nonexistent sibling, too. Checked before a claim is confirmed. */
async function isAnsweredAlike(
  { domain, ports, signal }: Pass,
  { parent }: { parent: string },
): Promise<boolean> {
  const nonexistent = `${randomBytes(12).toString('hex')}.${parent}`.replace(/\.$/, '')
  const { answers } = await ports.observer.look(nonexistent, 'one', 'asked', signal)
  if (!answers.some(isAnswer)) throw new CouldNotAsk(domain.name)
  return answers.some(({ nameservers }) => isSamePair(nameservers, domain.claim.nameservers))
}

/** Whether a person asked since the last look */
function isAskedAnew({ askedAt, conditions }: Domain): boolean {
  const { lastLookAt } = conditions.get('delegated') ?? {}
  return lastLookAt === undefined || lastLookAt < askedAt
}

/** A person waits for the answer if the domain was asked about lately. */
const urgencyOf = ({ askedAt }: Domain, now: Date): Urgency =>
  now.getTime() - askedAt.getTime() < ASKED_FOR_MS ? 'asked' : 'routine'

const isSame = (former: DelegationReport, now: DelegationReport): boolean =>
  former.lostAt === undefined &&
  former.verdict === now.verdict &&
  former.observed.join() === now.observed.join()

/** A loss seen once only brings the next look forward, unless another claim holds the name. */
async function keepThroughFirstLoss(
  pass: Pass,
  report: DelegationReport,
): Promise<DelegationReport> {
  const { domain, ports } = pass
  const established = domain.conditions.get('delegated')?.verdict.is === 'met'
  const former = domain.delegation
  if (!established || !former || report.verdict === 'delegated') return report
  // An interceptor of our questions says nothing about the name.
  if (report.verdict === 'intercepted') throw new CouldNotAsk(domain.name, report.message)
  if (!(await ports.custody.holds(domain.claim))) return report
  if (isShownBySome(report, domain.claim.nameservers))
    return { ...report, ...stillThere(former, report) }
  const lostAt = former.lostAt ?? report.checkedAt
  const seenForMs = Date.parse(report.checkedAt) - Date.parse(lostAt)
  return seenForMs >= CONFIRM_LOSS_AFTER_MS
    ? report
    : { ...report, ...stillThere(former, report), lostAt, seenAt: lastSeenAt(domain, former) }
}

const lastSeenAt = ({ conditions }: Domain, { seenAt, checkedAt }: DelegationReport): string =>
  seenAt ?? conditions.get('delegated')?.lastLookAt?.toISOString() ?? checkedAt

/** While one parent server shows the pair, the delegation is not lost, unless a DS breaks it. */
const isShownBySome = ({ verdict, servers }: DelegationReport, pair: readonly string[]): boolean =>
  verdict !== 'ds_left_over' &&
  verdict !== 'lame' &&
  servers.some(({ nameservers }) => nameservers.join() === pair.join())

const stillThere = (
  { verdict, message, observed, settledAt }: DelegationReport,
  { checkedAt, keptForS }: DelegationReport,
) => ({
  verdict,
  message,
  observed,
  settledAt,
  keptUntil: secondsAfter(new Date(checkedAt), keptForS),
})
