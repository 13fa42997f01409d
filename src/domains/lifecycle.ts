/**
 * The life of a domain, in one screen.
 *
 *   PENDING ─▶ DNS_CONFIGURING ─▶ DNS_PENDING ─▶ SERVICES_CONFIGURING ─▶ ACTIVE
 *                     └────────────────┴──── a stage fails ────┴─▶ FAILED ─ retry ─▶ same stage
 *
 * Every pass walks the stages from the top; until the domain is active, it stops at the first unmet
 * one. Removal walks from the bottom. No code assigns a status: `statusOf` derives it from conditions.
 */
import { days, hours } from '../clock.ts'
import type { Recorder } from './ports.ts'
import type { Pass, Step } from './step.ts'
import { delegation } from './steps/delegation.ts'
import { mailDomain } from './steps/mail-domain.ts'
import { mailProven } from './steps/mail-proven.ts'
import { records } from './steps/records.ts'
import { sender } from './steps/sender.ts'
import { senderVerified } from './steps/sender-verified.ts'
import { zone } from './steps/zone.ts'
import type { Condition, ConditionType, DomainStatus, Party, Verdict } from './types.ts'
import { WAITS_FOR_WORD } from './waits.ts'

// biome-ignore format: a table
export const LIFECYCLE = [
  //    met when             until then              waits for   gives up   grace     step
  stage('zone_ready',        'DNS_CONFIGURING',      'us',       hours(1),  hours(1), zone),
  stage('delegated',         'DNS_PENDING',          'customer', days(30),  days(3),  delegation),
  stage('sender_registered', 'SERVICES_CONFIGURING', 'us',       hours(1),  hours(1), sender),
  stage('mail_domain_ready', 'SERVICES_CONFIGURING', 'us',       hours(1),  hours(1), mailDomain),
  stage('records_published', 'SERVICES_CONFIGURING', 'us',       hours(1),  days(1),  records),
  stage('sender_verified',   'SERVICES_CONFIGURING', 'provider', hours(72), days(1),  senderVerified),
  stage('mail_proven',       'SERVICES_CONFIGURING', 'us',       hours(24), days(7),  mailProven),
] as const

export type Conditions = ReadonlyMap<ConditionType, Condition>

/** The public status: a summary of the conditions, never an input to anything. */
export function statusOf(conditions: Conditions, wasActive: boolean): DomainStatus {
  if (conditions.size === 0) return 'PENDING'
  if (failedStage(conditions, wasActive)) return 'FAILED'
  const unmet = firstUnmet(conditions)
  return unmet === undefined || wasActive ? 'ACTIVE' : unmet.status
}

/**
 * The stage that failed a domain: a failed one before its activation; afterwards the first that is unmet
 * for longer than its grace. A retry gives no second grace.
 */
export function failedStage(conditions: Conditions, wasActive: boolean): Stage | undefined {
  if (wasActive) return LIFECYCLE.find((stage) => isPastGrace(stage, conditions))
  const unmet = firstUnmet(conditions)
  return unmet && conditions.get(unmet.met)?.verdict.is === 'failed' ? unmet : undefined
}

function isPastGrace({ met, graceMs }: Stage, conditions: Conditions): boolean {
  const condition = conditions.get(met)
  if (condition === undefined || isDone(condition.verdict)) return false
  const { verdict, unmetMs } = condition
  const reason = 'reason' in verdict ? verdict.reason : ''
  // Withdrawn with the delegation: the delegation decides.
  if (reason === WITHDRAWN.reason) return false
  const isQuestion = WAITS_FOR_WORD.includes(reason)
  return unmetMs >= (isQuestion ? stageOf('delegated').giveUpAfterMs : graceMs)
}

/** One pass. Every `ensure` is safe to repeat, so a crash between two stages costs only a repeat. */
export async function reconcile(pass: Pass, recorder: Recorder): Promise<void> {
  for (const [index, { met, step }] of LIFECYCLE.entries()) {
    await recorder.beginStage(met)
    const verdict = await take(step, met, pass, recorder)
    await recorder.recordVerdict(
      met,
      verdict,
      isDone(verdict) ? LIFECYCLE[index + 1]?.met : undefined,
    )
    if (isDone(verdict)) continue
    if (met === 'zone_ready' || met === 'delegated') {
      await withdraw(pass, recorder, met === 'zone_ready')
    }
    if (met === 'delegated') return
    if (pass.domain.activatedAt === undefined) return // an active domain walks all stages
  }
}

/** The stages that a pass reaches if the conditions stay as they are; see `reconcile`. */
export function stagesLookedAt(conditions: Conditions, isActive: boolean): ConditionType[] {
  const types = LIFECYCLE.map(({ met }) => met)
  const isMet = (type: ConditionType) => isDone(conditions.get(type)?.verdict)
  const last = types.findIndex((type) => !isMet(type) && (type === 'delegated' || !isActive))
  return last === -1 ? types : types.slice(0, last + 1)
}

async function take(
  step: Step,
  met: ConditionType,
  pass: Pass,
  recorder: Recorder,
): Promise<Verdict> {
  const blocked = await step.gate?.(pass)
  if (blocked) return blocked
  if (step.remove) await recorder.recordPlacement(pass.domain.claim, met)
  return step.ensure(pass)
}

/**
 * Removes the mail services of a claim that does not hold its name; also its zone, where the host has one
 * zone per name and the claim may not have it, or another claim needs it.
 */
async function withdraw(pass: Pass, recorder: Recorder, isInTheWay: boolean): Promise<void> {
  const { custody, zone } = pass.ports
  const { claim, conditions } = pass.domain
  const later = LIFECYCLE.slice(AFTER_DELEGATION).map(({ met }) => met)
  const isThere = (type: ConditionType) =>
    recorder.placements.has(type) || isDone(conditions.get(type)?.verdict)
  if (!zone.oneZonePerName && !later.some(isThere)) return
  if (await custody.holds(claim)) return
  const makesRoom = zone.oneZonePerName && (isInTheWay || (await custody.isDisplaced(claim)))
  await removeStages(pass, recorder, makesRoom ? LIFECYCLE : LIFECYCLE.slice(AFTER_DELEGATION))
  // A removed condition must not count as met if the claim gets the name back.
  for (const type of later) {
    if (isDone(conditions.get(type)?.verdict)) await recorder.recordVerdict(type, WITHDRAWN)
  }
}

const WITHDRAWN = {
  is: 'waiting',
  reason: 'withdrawn',
  message: 'Removed: this domain no longer holds the name.',
} as const

/** Removes the stages after the delegation, last first; the zone may stay as a tombstone. */
export async function tearDownServices(pass: Pass, recorder: Recorder): Promise<void> {
  await removeStages(pass, recorder, LIFECYCLE.slice(AFTER_DELEGATION))
}

const AFTER_DELEGATION = LIFECYCLE.findIndex(({ met }) => met === 'delegated') + 1

async function removeStages(
  pass: Pass,
  recorder: Recorder,
  stages: readonly Stage[],
): Promise<void> {
  for (const { met, step } of stages.toReversed()) {
    if (!step.remove || !recorder.placements.has(met)) continue
    recorder.beginRemoval(met)
    await step.remove(pass)
    await recorder.recordStageRemoved(pass.domain.claim, met)
  }
}

export type Stage = ReturnType<typeof stage>

function stage(
  met: ConditionType,
  status: DomainStatus,
  waitsFor: Party,
  giveUpAfterMs: number,
  graceMs: number,
  step: Step,
) {
  return { met, status, waitsFor, giveUpAfterMs, graceMs, step }
}

export const isDone = (verdict?: Verdict): boolean =>
  verdict?.is === 'met' || verdict?.is === 'not_applicable'

export const stageOf = (type: ConditionType): Stage => LIFECYCLE.find(({ met }) => met === type)!

export const firstUnmet = (conditions: Conditions): Stage | undefined =>
  LIFECYCLE.find(({ met }) => !isDone(conditions.get(met)?.verdict))
