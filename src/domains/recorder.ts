/**
 * Records the findings of a pass: decides how conditions, status and timeline change, and calls
 * `write` at once. No other file decides that.
 */
import type { NewEvent } from '#events/catalogue.ts'
import type { Clock } from '../clock.ts'
import { afterFailedLook, afterLook, isRepeatedLook, isSameVerdict } from './conditions.ts'
import { firstUnmet, LIFECYCLE, stageOf, statusOf } from './lifecycle.ts'
import type { Placements, Recorder } from './ports.ts'
import { servedAs } from './serving.ts'
import type {
  Condition,
  ConditionType,
  DelegationReport,
  Domain,
  DomainStatus,
  Verdict,
} from './types.ts'

/** The changes that one look causes; a single statement writes them all. */
export type Findings = {
  conditions: ReadonlyMap<ConditionType, Condition>
  /** In the order of the timeline. */
  events: readonly NewEvent[]
  /** Undefined: keeps the stored report. */
  delegation: DelegationReport | undefined
  status: DomainStatus
  activatedAt: Date | undefined
  /** Null unless it has failed. */
  failedAt: Date | null
  /** Whether our nameservers must reload the name. */
  touchesName: boolean
}

/** The domain as it was when the pass began. */
export type Before = { domain: Domain; status: DomainStatus; failedAt: Date | null }

/** Writes findings; throws, and has written nothing, once another worker has taken the domain. */
export type WriteFindings = (findings: Findings) => Promise<void>

export function createRecorder(
  { domain, ...before }: Before,
  placements: Placements,
  write: WriteFindings,
  clock: Clock,
): Recorder {
  const conditions = domain.conditions as Map<ConditionType, Condition>
  const wasActive = domain.activatedAt !== undefined
  let { status, failedAt } = before
  let current: ConditionType = LIFECYCLE[0].met
  // A look counts from its beginning: a request during it needs another look.
  const takenAt = clock.now()
  let beganAt = takenAt
  let unwrittenReport: DelegationReport | undefined
  let unwrittenEvents: NewEvent[] = []
  let isWhole = firstUnmet(conditions) === undefined
  const unchanged = new Set<ConditionType>()

  /** Writes changed conditions, and all that follows from them. */
  async function record(changes: ReadonlyMap<ConditionType, Condition>): Promise<void> {
    const verdicts = [...changes].flatMap(([type, { verdict }]) =>
      isSameVerdict(conditions.get(type)?.verdict, verdict) ? [] : verdictEvents(type, verdict),
    )
    for (const [type, condition] of changes) conditions.set(type, condition)
    const [delegation, added, former, formerlyFailedAt] = [
      unwrittenReport,
      unwrittenEvents,
      status,
      failedAt,
    ]
    status = statusNow()
    failedAt = status === 'FAILED' ? (failedAt ?? clock.now()) : null
    // A failed retry is an event, though the status stays the same.
    const isNews = status !== former || failedAt !== formerlyFailedAt
    const events = [
      ...(delegation ? delegationEvents(domain.delegation, delegation) : []),
      ...verdicts,
      ...added,
      ...wholenessEvents(),
      ...(isNews ? statusEvents(domain.name, status) : []),
    ]
    if (delegation) domain.delegation = delegation
    unwrittenReport = undefined
    unwrittenEvents = []
    await write({
      conditions: changes,
      events,
      delegation,
      status,
      activatedAt: domain.activatedAt,
      failedAt,
      touchesName: servedAs(status) !== servedAs(former),
    })
  }

  /** The only source of a status: the conditions. */
  function statusNow(): DomainStatus {
    const next = statusOf(conditions, domain.activatedAt !== undefined)
    if (next === 'ACTIVE') domain.activatedAt ??= clock.now()
    return next
  }

  /** An active domain lost a condition, or meets all of them again. */
  function wholenessEvents(): NewEvent[] {
    const [wasWhole, unmet] = [isWhole, firstUnmet(conditions)]
    isWhole = unmet === undefined
    if (!wasActive || wasWhole === isWhole) return []
    return [unmet ? degraded(domain.name, unmet.met, conditions) : recovered(domain.name)]
  }

  return {
    async beginStage(type) {
      current = type
      beganAt = clock.now()
      if (!conditions.has(type)) await record(new Map([[type, begun(clock)]]))
    },
    async recordVerdict(type, verdict, next) {
      const previous = conditions.get(type)
      const after = afterLook(stageOf(type), previous, verdict, beganAt)
      const follows = next && !conditions.has(next) ? [[next, begun(clock)] as const] : []
      const isNews =
        !isRepeatedLook(previous, after) || follows.length > 0 || unwrittenEvents.length > 0
      // A grace that ends changes the status, though nothing else has changed.
      const then = new Map([...conditions, [type, after]])
      const isOver = statusOf(then, domain.activatedAt !== undefined) !== status
      if (isNews || isOver || unwrittenReport) return record(new Map([[type, after], ...follows]))
      // An unchanged verdict is not written: the pass notes all such looks at its end.
      conditions.set(type, after)
      unchanged.add(type)
    },
    async recordRefusal(verdict) {
      const previous = conditions.get(current)
      await record(new Map([[current, afterLook(stageOf(current), previous, verdict, beganAt)]]))
    },
    async recordFailedLook(message, nextLookMs) {
      const previous = conditions.get(current)
      if (!previous) return
      const nextLookAt = later(clock, nextLookMs)
      const failed = { ...afterFailedLook(previous, message), nextLookAt }
      const looked = [...unchanged].map((type) => [type, conditions.get(type)!] as const)
      await record(new Map([...looked, [current, failed]]))
    },
    nextLookColumns(afterMs) {
      return {
        next_look_at: later(clock, afterMs),
        ...(unchanged.size > 0 ? { looked_at: takenAt } : {}),
        // The customer's consent covers one plan only.
        ...(domain.acceptsDrops ? { accepts_drops: false } : {}),
      }
    },
    setDelegation(report) {
      if (!isSameReport(domain.delegation, report)) unwrittenReport = report
    },
    addEvent(event) {
      unwrittenEvents.push(event)
    },
    beginRemoval(stage) {
      current = stage
    },
    ...placements,
  }
}

/** Ignores the times that differ in every report. */
function isSameReport(a: DelegationReport | undefined, b: DelegationReport): boolean {
  const said = ({ verdict, message, observed, servers, lostAt, settledAt }: DelegationReport) => {
    const outcomes = servers.map(({ name, address, outcome }) => [name, address, outcome])
    return JSON.stringify([verdict, message, observed, lostAt, settledAt, outcomes])
  }
  return a !== undefined && said(a) === said(b)
}

function degraded(
  name: string,
  condition: ConditionType,
  conditions: ReadonlyMap<ConditionType, Condition>,
): NewEvent {
  const verdict = conditions.get(condition)?.verdict
  const [reason, message] =
    verdict && 'reason' in verdict ? [verdict.reason, verdict.message] : ['', '']
  return {
    type: 'domain.degraded',
    stage: condition,
    message: `${name} lacks something that it had: ${message}`,
    data: { condition, reason },
  }
}

const recovered = (name: string): NewEvent => ({
  type: 'domain.recovered',
  message: `${name} has everything again.`,
})

/** A stage that has begun. */
const begun = (clock: Clock): Condition => ({
  verdict: { is: 'waiting', reason: 'in_progress', message: 'Under way.' },
  since: clock.now(),
  waitedMs: 0,
  unmetMs: 0,
  lastLookAt: undefined,
  lastLookError: undefined,
  nextLookAt: undefined,
})

const later = (clock: Clock, afterMs: number): Date => new Date(clock.now().getTime() + afterMs)

function verdictEvents(stage: ConditionType, verdict: Verdict): NewEvent[] {
  const message = 'message' in verdict ? verdict.message : 'Done.'
  const event: NewEvent = { type: `stage.${verdict.is}`, stage, message }
  if (stage !== 'delegated' || verdict.is !== 'met') return [event]
  return [event, { type: 'domain.delegated', stage, message: 'The delegation was seen.' }]
}

function delegationEvents(
  former: DelegationReport | undefined,
  { verdict, observed, message }: DelegationReport,
): NewEvent[] {
  if (verdict === former?.verdict) return []
  const data = { verdict, observed: [...observed] }
  return [{ type: 'delegation.seen', stage: 'delegated', message, data }]
}

function statusEvents(name: string, status: DomainStatus): NewEvent[] {
  if (status === 'ACTIVE') return [{ type: 'domain.active', message: `${name} is active.` }]
  if (status === 'FAILED') return [{ type: 'domain.failed', message: `Setting up ${name} failed.` }]
  return []
}
