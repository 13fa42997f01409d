import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KeyState, Occasion, SigningKey } from '#drivers/sender/contract.ts'
import { days, hours, seconds } from '../clock.ts'
import { planRotation } from './rotation.ts'
import { spread } from './spread.ts'

const NOW = new Date('2026-11-01T12:00:00Z')
/** Its hour of ninety is the 46th: the id ends in the middle of what ids end in. */
const CLAIM = { claimId: '0190a1b2-c3d4-7e5f-8a6b-123456788000', name: 'a.test', nameservers: [] }

const key = (
  selector: string,
  state: KeyState,
  ageMs: number,
  occasion: Occasion = 'routine',
): SigningKey => ({
  selector,
  name: `${selector}._domainkey.a.test.`,
  state,
  since: new Date(NOW.getTime() - ageMs),
  occasion,
})

const plan = (keys: readonly SigningKey[], seen: readonly string[] = [], everyDays = 0) =>
  planRotation(keys, ({ selector }) => seen.includes(selector), CLAIM, everyDays, NOW).map(
    (turn) => ('selector' in turn ? `${turn.is} ${turn.selector}` : turn.is),
  )

// biome-ignore format: a table
const PLANS: [what: string, keys: SigningKey[], seen: string[], expected: string[]][] = [
  ['a key that signs stays',
    [key('a', 'signing', days(1))], ['a'], []],
  ['a pending key that is not seen does not sign',
    [key('a', 'signing', days(1)), key('b', 'pending', days(1))], ['a'], []],
  ['a pending key that is seen signs once all nameservers had time to follow',
    [key('a', 'signing', days(1)), key('b', 'pending', seconds(3))], ['a', 'b'], ['sign b']],
  ['and not before',
    [key('a', 'signing', days(1)), key('b', 'pending', seconds(2))], ['a', 'b'], []],
  ['a retiring key stays for a week',
    [key('a', 'retiring', days(7) - 1), key('b', 'signing', days(7) - 1)], ['a', 'b'], []],
  ['and is revoked then',
    [key('a', 'retiring', days(7)), key('b', 'signing', days(7))], ['a', 'b'], ['revoke a']],
  ['a revoked key says so for a week',
    [key('a', 'revoked', days(7) - 1), key('b', 'signing', days(14))], ['a', 'b'], []],
  ['and goes then',
    [key('a', 'revoked', days(7)), key('b', 'signing', days(14))], ['a', 'b'], ['drop a']],
  ['after a compromise older keys are revoked as soon as the new one signs',
    [key('z', 'retiring', days(1)), key('a', 'signing', days(1)), key('b', 'pending', seconds(3), 'compromise')],
    ['a', 'b'], ['sign b', 'revoke z', 'revoke a']],
  ['and not while it does not',
    [key('z', 'retiring', days(1)), key('a', 'signing', days(1)), key('b', 'pending', days(1), 'compromise')],
    ['a'], []],
  ['also when a pass was killed between the two',
    [key('a', 'retiring', 0), key('b', 'signing', 0, 'compromise')], ['a', 'b'], ['revoke a']],
  ['the retirement of a key that once followed a compromise is an ordinary one',
    [key('a', 'retiring', days(1), 'compromise'), key('b', 'signing', days(1))], ['a', 'b'], []],
  ['a domain without keys has nothing to turn', [], [], []],
]

for (const [what, keys, seen, expected] of PLANS) {
  test(what, () => assert.deepEqual(plan(keys, seen), expected))
}

test('with the period 0 no key is ever too old', () => {
  assert.deepEqual(plan([key('a', 'signing', days(4000))]), [])
})

test('an old key is followed by a new one, in the hour of its claim and in no other', () => {
  const begunAt = (everyDays: number, claimId: string): number[] => {
    const slots = Array.from({ length: everyDays * 2 }, (_, hour) => hour)
    const since = new Date(NOW.getTime() - days(everyDays))
    return slots.filter((hour) => {
      const now = new Date(NOW.getTime() + hours(hour))
      const keys = [{ ...key('a', 'signing', 0), since }]
      return planRotation(keys, () => true, { ...CLAIM, claimId }, everyDays, now).length > 0
    })
  }
  const hour = (begun: number[]) => begun.map((each) => each - begun[0]!)
  assert.deepEqual(hour(begunAt(90, CLAIM.claimId)), [0, 90])
  assert.deepEqual(begunAt(1, CLAIM.claimId), [0, 1], 'of one day there is one slot')
  const ids = Array.from({ length: 90 }, (_, index) =>
    CLAIM.claimId.replace(
      /....$/,
      Math.ceil((index * 0x10000) / 90)
        .toString(16)
        .padStart(4, '0'),
    ),
  )
  assert.equal(new Set(ids.map((id) => begunAt(90, id)[0])).size, 90, 'every hour has its share')
})

test('that hour is in the last 24th of its period, so that no key signs for longer', () => {
  assert.ok(spread(CLAIM.claimId) > 0.49 && spread(CLAIM.claimId) < 0.51)
  for (const everyDays of [1, 7, 90]) {
    for (const id of ['0000', '8000', 'ffff']) {
      const claim = { ...CLAIM, claimId: CLAIM.claimId.replace(/....$/, id) }
      const hoursLeft = Array.from({ length: everyDays * 24 }, (_, hour) => hour + 1)
      const due = hoursLeft.filter((left) => {
        const now = new Date(NOW.getTime() - hours(left))
        const keys = [
          { ...key('a', 'signing', 0), since: new Date(NOW.getTime() - days(everyDays)) },
        ]
        return planRotation(keys, () => true, claim, everyDays, now).length > 0
      })
      assert.equal(due.length, 1)
      assert.ok(due[0]! <= everyDays)
    }
  }
})

test('while a key is pending no other is begun', () => {
  const keys = [key('a', 'signing', days(100)), key('b', 'pending', days(1))]
  for (let everyDays = 1; everyDays <= 90; everyDays++)
    assert.deepEqual(plan(keys, [], everyDays), [])
})
