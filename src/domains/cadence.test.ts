import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DriverError, type DriverErrorKind } from '#drivers/errors.ts'
import { days, hours, minutes, seconds } from '../clock.ts'
import {
  afterTroubleMs,
  delegationLookMs,
  nextLookMs,
  redirectLookMs,
  tombstoneLookMs,
} from './cadence.ts'
import type { ConditionType, DelegationReport, Domain, Verdict } from './types.ts'

const NOW = new Date('2026-11-01T12:00:00Z')
const before = (ms: number): Date => new Date(NOW.getTime() - ms)

const met: Verdict = { is: 'met' }
const waiting: Verdict = { is: 'waiting', reason: 'r', message: 'm' }
const failed: Verdict = { is: 'failed', reason: 'r', message: 'm' }

// biome-ignore format: data
const DOMAIN: Domain = {
  id: '00000000-0000-7000-8000-000000000000', workspaceId: 'w', name: 'acme.test', conditions: new Map(),
  activatedAt: undefined, createdAt: NOW, askedAt: NOW, mayActivate: true, delegation: undefined,
  importIsWanted: false, takeMail: false, acceptsDrops: false, pointsAtPool: false, hasOwnRecords: false,
  claim: { claimId: 'c', name: 'acme.test', nameservers: [] },
}

// biome-ignore format: data
const LOST: DelegationReport = {
  verdict: 'delegated', message: '', expected: [], observed: [], servers: [],
  checkedAt: NOW.toISOString(), settledAt: null, keptForS: 0, lostAt: NOW.toISOString(),
}

// biome-ignore format: a table
const DELEGATION: [ageMs: number, expected: number][] = [
  [0,                    seconds(2)],
  [seconds(40),          seconds(2)],
  [minutes(1),           seconds(3)],
  [minutes(10),          seconds(30)],
  [hours(1),             minutes(3)],
  [hours(5),             minutes(15)],
  [days(1),              minutes(15)],
  [days(30),             minutes(15)],
  [days(30) + 1,         days(7)],
  [days(400),            days(7)],
  [-minutes(5),          seconds(2)],
]

test('the delegation is looked at often at first, then ever more rarely', () => {
  for (const [ageMs, expected] of DELEGATION)
    assert.equal(delegationLookMs(ageMs, seconds(2)), expected, `${ageMs} ms`)
})

test('a wait for the delegation counts from when it was last asked about', () => {
  const domain = { ...DOMAIN, createdAt: before(days(99)), askedAt: before(hours(1)) }
  assert.equal(nextLookMs('delegated', waiting, domain, NOW, seconds(2)), minutes(3))
})

/** After a wait of so long. */
function domainWaiting(type: ConditionType, waitedMs: number): Domain {
  const looks = { lastLookAt: NOW, lastLookError: undefined, nextLookAt: undefined }
  const conditions = new Map([
    [type, { verdict: waiting, since: NOW, waitedMs, unmetMs: 0, ...looks }],
  ])
  return { ...DOMAIN, conditions }
}

test('others’ work is asked about at once at first, then every five minutes at the latest', () => {
  const after = (waitedMs: number) =>
    nextLookMs(
      'sender_verified',
      waiting,
      domainWaiting('sender_verified', waitedMs),
      NOW,
      seconds(2),
    )
  assert.ok(after(0) > 0 && after(0) <= 200)
  assert.equal(after(minutes(1)), seconds(15))
  assert.equal(after(minutes(20)), minutes(5))
  assert.equal(after(days(2)), minutes(5))
  assert.equal(nextLookMs('sender_verified', waiting, DOMAIN, NOW, seconds(2)), after(0))
})

test('a failed stage is left alone for a week', () => {
  for (const type of ['zone_ready', 'delegated', 'mail_proven'] as const)
    assert.equal(nextLookMs(type, failed, domainWaiting(type, days(30)), NOW, seconds(2)), days(7))
})

test('an active domain is looked at within the hour, each at a time of its own', () => {
  const idsOf = (ending: string) => ({ ...DOMAIN, id: DOMAIN.id.slice(0, -4) + ending })
  const after = (ending: string) => nextLookMs('mail_proven', met, idsOf(ending), NOW, seconds(2))
  assert.equal(after('0000'), minutes(45))
  assert.equal(after('8000'), minutes(50))
  assert.ok(after('ffff') > minutes(54.9) && after('ffff') < minutes(55))
  assert.equal(after('1234'), after('1234'))
})

test('a loss that was seen once is looked at again after ten minutes', () => {
  const domain = { ...DOMAIN, delegation: LOST }
  assert.equal(nextLookMs('mail_proven', met, domain, NOW, seconds(2)), minutes(10))
  assert.notEqual(nextLookMs('delegated', waiting, domain, NOW, seconds(2)), minutes(10))
})

test('an active domain that lost its delegation is looked at again within its grace', () => {
  const domain = { ...DOMAIN, activatedAt: before(days(60)), askedAt: before(days(60)) }
  assert.ok(nextLookMs('delegated', waiting, domain, NOW, seconds(2)) < days(3))
})

test('an active domain is looked at within the hour though a stage was given up', () => {
  const domain = { ...DOMAIN, activatedAt: before(days(60)) }
  assert.ok(nextLookMs('records_published', failed, domain, NOW, seconds(2)) <= hours(1))
})

const because = (kind: DriverErrorKind, retryAfterMs?: number): DriverError =>
  new DriverError(kind, 'x', retryAfterMs === undefined ? {} : { retryAfterMs })

// biome-ignore format: a table
const BACK_OFFS: [failures: number, error: DriverError | undefined, expected: number][] = [
  [0,     undefined,                               500],
  [1,     undefined,                               seconds(1)],
  [2,     undefined,                               seconds(2)],
  [5,     undefined,                               seconds(16)],
  [9,     undefined,                               seconds(256)],
  [10,    undefined,                               minutes(5)],
  [50,    undefined,                               minutes(5)],
  [5000,  undefined,                               minutes(5)],
  [0,     because('unavailable'),                  500],
  [3,     because('conflict'),                     seconds(4)],
  [4,     because('throttled'),                    seconds(8)],
  [0,     because('unauthorized'),                 minutes(15)],
  [50,    because('unauthorized'),                 minutes(15)],
  [0,     because('forbidden'),                    minutes(15)],
  [50,    because('forbidden'),                    minutes(15)],
  [0,     because('throttled', seconds(42)),       seconds(42)],
  [50,    because('throttled', seconds(42)),       seconds(42)],
  [0,     because('unauthorized', seconds(42)),    seconds(42)],
  [0,     because('throttled', 0),                 seconds(1)],
  [0,     because('throttled', -5),                seconds(1)],
  [0,     because('throttled', days(9)),           hours(1)],
]

test('the back-off doubles to five minutes, unless the provider named a time', () => {
  for (const [failures, error, expected] of BACK_OFFS) {
    const what = `${failures} ${error?.kind} ${error?.retryAfterMs}`
    assert.equal(afterTroubleMs(failures, error), expected, what)
  }
})

// biome-ignore format: a table
const TOMBSTONES: [ageMs: number, expected: number][] = [
  [0,           seconds(2)],
  [minutes(1),  seconds(3)],
  [hours(1),    minutes(3)],
  [days(1),     minutes(72)],
  [days(20),    days(1)],
  [days(900),   days(1)],
  [-days(1),    seconds(2)],
]

test('a tombstone is looked at often at first, then daily', () => {
  for (const [ageMs, expected] of TOMBSTONES) assert.equal(tombstoneLookMs(ageMs), expected)
})

// biome-ignore format: a table
const REDIRECTS: [ageMs: number | undefined, expected: number][] = [
  [undefined,   Number.POSITIVE_INFINITY],
  [0,           50],
  [seconds(4),  seconds(1)],
  [hours(1),    minutes(15)],
  [days(1),     hours(1)],
  [-days(1),    50],
]

test('a new redirect whose records are not seen is looked at often, an old one as its domain is', () => {
  const now = new Date()
  for (const [ageMs, expected] of REDIRECTS) {
    const since = ageMs === undefined ? undefined : new Date(now.getTime() - ageMs)
    assert.equal(redirectLookMs(since, now), expected)
  }
})
