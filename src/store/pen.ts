/** The pen of a pass: what it finds is written at once, and only while the row is still its own. */
import { afterFailedLook, afterLook, goesOn, isSameVerdict } from '#domains/conditions.ts'
import { firstUnmet, LIFECYCLE, type Stage, stageOf, statusOf } from '#domains/lifecycle.ts'
import type { Pen, Ports } from '#domains/ports.ts'
import type {
  Condition,
  ConditionType,
  DelegationReport,
  Domain,
  TimelineEvent,
  Verdict,
} from '#domains/types.ts'
import type { Taken } from '#engine/due-rows.ts'
import { type StoreContext, TOPICS } from './context.ts'
import type { DomainRow } from './domains.ts'
import { writeFindings } from './findings.ts'
import { placementBook } from './placement-book.ts'
import { servedAs } from './served-names.ts'

/** Writes what a pass finds, and nothing once another worker has taken the row. */
export function openPen(
  context: StoreContext,
  taken: Taken,
  row: DomainRow,
  domain: Domain,
  placements: Set<ConditionType>,
  ports: Ports,
): Pen {
  const { db, doorbell } = context
  const conditions = domain.conditions as Map<ConditionType, Condition>
  const book = placementBook(context, taken, row, domain.claim.claimId, placements)
  let status = row.status
  let failedAt = row.failed_at
  let current: ConditionType = LIFECYCLE[0].met
  // A look is as old as its beginning: who asks for one during it did not mean this one.
  const takenAt = ports.clock.now()
  let beganAt = takenAt
  let unwritten: DelegationReport | undefined
  let untold: TimelineEvent[] = []
  let isWhole = firstUnmet(conditions) === undefined
  const unnoted = new Set<ConditionType>()

  /** Writes conditions as they are now, with all that follows from them. */
  async function record(changes: ReadonlyMap<ConditionType, Condition>): Promise<void> {
    const verdicts = [...changes].flatMap(([type, { verdict }]) =>
      isSameVerdict(conditions.get(type)?.verdict, verdict) ? [] : verdictEvents(type, verdict),
    )
    for (const [type, condition] of changes) conditions.set(type, condition)
    const [delegation, told, former, formerlyFailedAt] = [unwritten, untold, status, failedAt]
    status = statusNow()
    failedAt = status === 'FAILED' ? (failedAt ?? ports.clock.now()) : null
    const touchesName = servedAs(status) !== servedAs(former)
    // A retry that fails is told, though the status was and is the same.
    const isNews = status !== former || failedAt !== formerlyFailedAt
    const events = [
      ...(delegation ? delegationEvents(domain.delegation, delegation) : []),
      ...verdicts,
      ...told,
      ...wholenessEvents(),
      ...(isNews ? statusEvents(row.name, status) : []),
    ]
    if (delegation) domain.delegation = delegation
    unwritten = undefined
    untold = []
    const { activatedAt } = domain
    await writeFindings(db, taken, {
      conditions: changes,
      events,
      delegation,
      status,
      activatedAt,
      failedAt,
      touchesName,
    })
    doorbell.ring(TOPICS.domain(row.id))
    if (touchesName) doorbell.ring(TOPICS.servedNames)
  }

  /** The one place that makes a status: what the conditions say. */
  function statusNow(): string {
    const next = statusOf(conditions, domain.activatedAt !== undefined)
    if (next === 'ACTIVE') domain.activatedAt ??= ports.clock.now()
    return next
  }

  /** Whether an active domain fell short of something, or no longer does. */
  function wholenessEvents(): TimelineEvent[] {
    const [wasWhole, unmet] = [isWhole, firstUnmet(conditions)]
    isWhole = unmet === undefined
    if (row.activated_at === null || wasWhole === isWhole) return []
    return [unmet ? degraded(row.name, unmet) : recovered(row.name)]
  }

  return {
    async begin(type) {
      current = type
      beganAt = ports.clock.now()
      if (!conditions.has(type)) await record(new Map([[type, begun(ports)]]))
    },
    async verdict(type, verdict, next) {
      const before = conditions.get(type)
      const after = afterLook(stageOf(type), before, verdict, beganAt)
      const follows = next && !conditions.has(next) ? [[next, begun(ports)] as const] : []
      const isNews = !goesOn(before, after) || follows.length > 0 || untold.length > 0
      // A grace that ends changes the status, though nothing else has changed.
      const then = new Map([...conditions, [type, after]])
      const isOver = statusOf(then, domain.activatedAt !== undefined) !== status
      if (isNews || isOver || unwritten) return record(new Map([[type, after], ...follows]))
      // An unchanged world writes nothing: the look is noted with all others, when the pass is over.
      conditions.set(type, after)
      unnoted.add(type)
    },
    async refused(verdict) {
      const before = conditions.get(current)
      const after = afterLook(stageOf(current), before, verdict, beganAt)
      await record(new Map([[current, after]]))
    },
    async couldNotLook(message, nextLookMs) {
      const before = conditions.get(current)
      if (!before) return
      const failed = { ...afterFailedLook(before, message), nextLookAt: inTime(ports, nextLookMs) }
      const looked = [...unnoted].map((type) => [type, conditions.get(type)!] as const)
      await record(new Map([...looked, [current, failed]]))
    },
    nextLook(afterMs) {
      return {
        next_look_at: inTime(ports, afterMs),
        ...(unnoted.size > 0 ? { looked_at: takenAt } : {}),
        // A yes holds for the one plan that was made with it.
        ...(domain.acceptsDrops ? { accepts_drops: false } : {}),
      }
    },
    delegation(report) {
      if (!isSameReport(domain.delegation, report)) unwritten = report
    },
    tell(event) {
      untold.push(event)
    },
    ...book,
    removing(stage) {
      current = stage
    },
  }
}

/** Times differ in every report; what they are times of is what counts. */
function isSameReport(a: DelegationReport | undefined, b: DelegationReport): boolean {
  const said = ({ verdict, message, observed, servers, lostAt, settledAt }: DelegationReport) => {
    const outcomes = servers.map(({ name, address, outcome }) => [name, address, outcome])
    return JSON.stringify([verdict, message, observed, lostAt, settledAt, outcomes])
  }
  return a !== undefined && said(a) === said(b)
}

const degraded = (name: string, { met }: Stage): TimelineEvent => ({
  type: 'domain.degraded',
  stage: met,
  message: `Something that ${name} had is not there any more.`,
})

const recovered = (name: string): TimelineEvent => ({
  type: 'domain.recovered',
  message: `${name} has everything again.`,
})

/** A stage whose turn has come. */
const begun = ({ clock }: Ports): Condition => ({
  verdict: { is: 'waiting', reason: 'in_progress', message: 'Under way.' },
  since: clock.now(),
  waitedMs: 0,
  unmetMs: 0,
  lastLookAt: undefined,
  lastLookError: undefined,
  nextLookAt: undefined,
})

const inTime = ({ clock }: Ports, afterMs: number): Date =>
  new Date(clock.now().getTime() + afterMs)

function verdictEvents(stage: ConditionType, verdict: Verdict): TimelineEvent[] {
  const message = 'message' in verdict ? verdict.message : 'Done.'
  const event = { type: `stage.${verdict.is}`, stage, message }
  if (stage !== 'delegated' || verdict.is !== 'met') return [event]
  return [event, { type: 'domain.delegated', stage, message: 'The delegation was seen.' }]
}

function delegationEvents(
  former: DelegationReport | undefined,
  { verdict, observed, message }: DelegationReport,
): TimelineEvent[] {
  if (verdict === former?.verdict) return []
  return [{ type: 'delegation.seen', stage: 'delegated', message, data: { verdict, observed } }]
}

function statusEvents(name: string, status: string): TimelineEvent[] {
  if (status === 'ACTIVE') return [{ type: 'domain.active', message: `${name} is active.` }]
  if (status === 'FAILED') return [{ type: 'domain.failed', message: `Setting up ${name} failed.` }]
  return []
}
