/** Failures on demand: the next calls of a stage of a sandbox domain fail or slow down. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ConditionType } from '#domains/types.ts'
import { DriverError } from '#drivers/errors.ts'
import type { MailboxDriver } from '#drivers/mailbox/contract.ts'
import type { SenderDriver } from '#drivers/sender/contract.ts'
import type { ClaimRef, ZoneDriver } from '#drivers/zone/contract.ts'

export const OUTCOMES = ['rejected', 'throttled', 'unavailable', 'slow'] as const
export type Outcome = (typeof OUTCOMES)[number]

/** Takes the next outcome of a stage, if one is set, and counts it down. */
export type TakeOutcome = (name: string, stage: ConditionType) => Promise<Outcome | undefined>

const SLOW_MS = 3000
const THROTTLED_MS = 1000

/** The same driver, but each call first applies the outcome set for its stage. */
export function misbehavingZone(driver: ZoneDriver, take: TakeOutcome): ZoneDriver {
  return {
    naming: driver.naming,
    oneZonePerName: driver.oneZonePerName,
    ensureZone: before(take, 'zone_ready', driver.ensureZone),
    readZone: before(take, 'records_published', driver.readZone),
    changeZone: (claim, changes, signal) => driver.changeZone(claim, changes, signal),
    removeZone: before(take, 'zone_ready', driver.removeZone),
    redirects: driver.redirects,
    objectionTo: driver.objectionTo,
  }
}

export function misbehavingSender(driver: SenderDriver, take: TakeOutcome): SenderDriver {
  return {
    ...driver,
    ensureDomain: before(take, 'sender_registered', driver.ensureDomain),
    verifyDomain: before(take, 'sender_verified', driver.verifyDomain),
    removeDomain: before(take, 'sender_registered', driver.removeDomain),
    async send(claim, mail, signal) {
      await applyOutcome(await take(claim.name, 'mail_proven'), signal)
      return driver.send(claim, mail, signal)
    },
  }
}

export function misbehavingMailbox(driver: MailboxDriver, take: TakeOutcome): MailboxDriver {
  return {
    ...driver,
    ensureDomain: before(take, 'mail_domain_ready', driver.ensureDomain),
    removeDomain: before(take, 'mail_domain_ready', driver.removeDomain),
  }
}

function before<T>(
  take: TakeOutcome,
  stage: ConditionType,
  call: (claim: ClaimRef, signal: AbortSignal) => Promise<T>,
) {
  return async (claim: ClaimRef, signal: AbortSignal): Promise<T> => {
    await applyOutcome(await take(claim.name, stage), signal)
    return call(claim, signal)
  }
}

async function applyOutcome(outcome: Outcome | undefined, signal: AbortSignal): Promise<void> {
  if (outcome === 'slow') await delay(SLOW_MS, undefined, { signal })
  if (outcome === 'rejected')
    throw new DriverError(
      'rejected',
      'The sandbox refuses this call, because an outcome demands it.',
    )
  if (outcome === 'unavailable')
    throw new DriverError(
      'unavailable',
      'The sandbox does not answer this call, because an outcome demands it.',
    )
  if (outcome === 'throttled') {
    throw new DriverError(
      'throttled',
      'The sandbox throttles this call, because an outcome demands it.',
      {
        retryAfterMs: THROTTLED_MS,
      },
    )
  }
}
