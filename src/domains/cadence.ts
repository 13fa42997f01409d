/** When to look again. Pure; all durations in milliseconds. */

import type { DriverError } from '#drivers/errors.ts'
import { backOffMs, clamp, days, hours, minutes, seconds } from '../clock.ts'
import { isDone } from './lifecycle.ts'
import { spread } from './spread.ts'
import { CONFIRM_LOSS_AFTER_MS } from './steps/delegation.ts'
import type { Condition, ConditionType, Domain, Verdict } from './types.ts'
import { IMPORTING } from './waits.ts'

/** After a verdict on the last stage of a pass; `soonestMs` as in `delegationLookMs`. */
export function nextLookMs(
  type: ConditionType,
  verdict: Verdict,
  domain: Domain,
  now: Date,
  soonestMs: number,
): number {
  const latest = domain.activatedAt ? activeLookMs(domain) : Number.POSITIVE_INFINITY
  return Math.min(latest, lookMs(type, verdict, domain, now, soonestMs))
}

function lookMs(
  type: ConditionType,
  verdict: Verdict,
  domain: Domain,
  now: Date,
  soonestMs: number,
): number {
  if (isDone(verdict))
    return domain.delegation?.lostAt ? CONFIRM_LOSS_AFTER_MS : activeLookMs(domain)
  if (verdict.is === 'failed') return days(7)
  if (type === 'delegated')
    return delegationLookMs(now.getTime() - domain.askedAt.getTime(), soonestMs)
  if ('reason' in verdict && verdict.reason === IMPORTING)
    return importLookMs(now.getTime() - domain.createdAt.getTime())
  return waitingLookMs(domain.conditions.get(type))
}

/** Asks silent nameservers again within 2 to 30 s, until the import's deadline. */
const importLookMs = (ageMs: number): number => clamp(ageMs / 4, seconds(2), seconds(30))

/**
 * The longer ago a person asked, the rarer the looks; a query at our nameservers wakes the domain.
 * `soonestMs` is the least time between two looks at one name.
 */
export function delegationLookMs(ageMs: number, soonestMs: number): number {
  return ageMs > days(30) ? days(7) : clamp(ageMs / 20, soonestMs, minutes(15))
}

/** Sending needs a delegation seen within the hour, so an active domain is looked at within it. */
const activeLookMs = ({ id }: Domain): number => minutes(45) + minutes(10) * spread(id)

/** Our nameservers serve a change within about 20 ms. */
const FIRST_LOOKS_MS = 50

/** Waits for others: looks often at first, then ever more rarely. */
function waitingLookMs(condition: Condition | undefined): number {
  return clamp((condition?.waitedMs ?? 0) / 4, FIRST_LOOKS_MS, minutes(5))
}

/** Looks often for the missing records of a new redirect; not at all if none is missing. */
export function redirectLookMs(unseenSince: Date | undefined, now: Date): number {
  if (unseenSince === undefined) return Number.POSITIVE_INFINITY
  return clamp((now.getTime() - unseenSince.getTime()) / 4, FIRST_LOOKS_MS, hours(1))
}

const BACK_OFF = { firstMs: 500, mostMs: minutes(5) }

/** After looks that could not be taken; a provider's own retry time wins. */
export function afterTroubleMs(failures: number, error: DriverError | undefined): number {
  if (error?.retryAfterMs !== undefined) return clamp(error.retryAfterMs, seconds(1), hours(1))
  if (error?.kind === 'unauthorized' || error?.kind === 'forbidden') return minutes(15)
  return backOffMs(BACK_OFF, failures)
}

/** While the parent still points at us after removal: often at first, then daily. */
export const tombstoneLookMs = (ageMs: number): number => clamp(ageMs / 20, seconds(2), days(1))
