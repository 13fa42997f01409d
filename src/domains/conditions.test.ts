import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { days, hours, minutes } from '../clock.ts'
import {
  afterFailedLook,
  afterLook,
  afterRepeatedLook,
  isRepeatedLook,
  isSameVerdict,
} from './conditions.ts'
import { stageOf } from './lifecycle.ts'
import type { Condition, Verdict } from './types.ts'

const T0 = Date.parse('2026-11-01T12:00:00Z')
const at = (ms: number): Date => new Date(T0 + ms)

const met: Verdict = { is: 'met' }
const skipped: Verdict = { is: 'not_applicable', reason: 'r', message: 'm' }
const waiting: Verdict = { is: 'waiting', reason: 'not_delegated', message: 'Set them.' }
const failed: Verdict = { is: 'failed', reason: 'rejected', message: 'No.' }

/** Gives up after an hour. */
const STAGE = stageOf('zone_ready')

/** A condition as it stands between two looks. */
function standing(verdict: Verdict, changes: Partial<Condition> = {}): Condition {
  return {
    verdict,
    since: at(0),
    waitedMs: 0,
    unmetMs: 0,
    lastLookAt: at(0),
    lastLookError: undefined,
    nextLookAt: at(minutes(10)),
    ...changes,
  }
}

test('the first look makes a condition as old as itself', () => {
  for (const verdict of [met, skipped, waiting, failed]) {
    assert.deepEqual(afterLook(STAGE, undefined, verdict, at(5)), {
      verdict,
      since: at(5),
      waitedMs: 0,
      unmetMs: 0,
      lastLookAt: at(5),
      lastLookError: undefined,
      nextLookAt: undefined,
    })
  }
})

// biome-ignore format: a table
const CHANGES: [before: Verdict, found: Verdict, isNewSince: boolean, stands: Verdict][] = [
  [waiting,  waiting,                                false, waiting],
  [waiting,  { ...waiting, reason: 'partial' },      false, { ...waiting, reason: 'partial' }],
  [waiting,  met,                                    true,  met],
  [waiting,  skipped,                                true,  skipped],
  [waiting,  failed,                                 false, failed],
  [met,      met,                                    false, met],
  [met,      skipped,                                false, skipped],
  [skipped,  met,                                    false, met],
  [met,      waiting,                                true,  waiting],
  [met,      failed,                                 true,  failed],
  [failed,   failed,                                 false, failed],
  [failed,   { ...failed, message: 'Still no.' },    false, { ...failed, message: 'Still no.' }],
  [failed,   met,                                    true,  met],
  // A failed stage stays failed until someone retries it.
  [failed,   waiting,                                false, failed],
]

test('`since` is when a condition began to be met, or unmet', () => {
  for (const [before, found, isNewSince, stands] of CHANGES) {
    const after = afterLook(STAGE, standing(before), found, at(minutes(10)))
    const what = `${before.is} to ${found.is}`
    assert.deepEqual(after.verdict, stands, what)
    assert.deepEqual(after.since, at(isNewSince ? minutes(10) : 0), what)
    assert.deepEqual(after.lastLookAt, at(minutes(10)))
    assert.equal(after.nextLookAt, undefined)
  }
})

test('what is done has waited for nothing', () => {
  for (const verdict of [met, skipped]) {
    const after = afterLook(STAGE, standing(waiting, { waitedMs: 999 }), verdict, at(minutes(10)))
    assert.equal(after.waitedMs, 0)
  }
})

// biome-ignore format: a table
const COUNTED: [what: string, before: Partial<Condition> | undefined, lookAtMs: number, waitedMs: number][] = [
  ['a look on time',                          {},                                     minutes(10),  minutes(10)],
  ['a look ahead of time',                    {},                                     minutes(3),   minutes(3)],
  ['a look at the same moment',               {},                                     0,            0],
  ['a look a little late',                    {},                                     minutes(10.5), minutes(10.5)],
  ['a look a minute late',                    {},                                     minutes(11),  minutes(11)],
  ['a look later still',                      {},                                     minutes(12),  minutes(11)],
  ['a look after days of our own downtime',   {},                                     days(9),      minutes(11)],
  ['a look before the last one',              {},                                     -minutes(5),  0],
  ['what was waited before',                  { waitedMs: minutes(7) },               minutes(10),  minutes(17)],
  ['a look after one that could not be taken', { lastLookError: 'nobody answers' },   minutes(10),  0],
  ['what was waited before that',             { lastLookError: 'x', waitedMs: 77 },   minutes(10),  77],
  ['the first completed look',                { lastLookAt: undefined },              minutes(10),  0],
  ['the first look of all',                   undefined,                              minutes(10),  0],
  ['the first look that finds it unmet',      { verdict: met },                       minutes(10),  0],
]

test('only time between completed looks counts as waiting', () => {
  for (const [what, before, lookAtMs, waitedMs] of COUNTED) {
    const condition: Condition | undefined = before && standing(waiting, before)
    const after = afterLook(STAGE, condition, waiting, at(lookAtMs))
    assert.equal(after.waitedMs, waitedMs, what)
    assert.equal(after.unmetMs, waitedMs - (condition?.waitedMs ?? 0), what)
  }
})

test('our own downtime counts for nothing where no next look was planned, as after a crash', () => {
  const delegated = stageOf('delegated')
  const before = standing(waiting, { nextLookAt: undefined })
  const after = afterLook(delegated, before, waiting, at(days(31)))
  assert.equal(after.verdict.is, 'waiting')
})

describe('a waiting that goes on', () => {
  type Look = [minute: number, found: Verdict | 'could not look']

  /** Takes looks one after the other, each at the minute it was planned for. */
  function take(looks: readonly Look[]): Condition {
    let condition: Condition | undefined
    for (const [index, [minute, found]] of looks.entries()) {
      const nextLookAt = at(minutes(looks[index + 1]?.[0] ?? minute))
      if (found === 'could not look') condition = afterFailedLook(condition!, 'nobody answers')
      else condition = afterLook(STAGE, condition, found, at(minutes(minute)))
      condition = { ...condition, nextLookAt }
    }
    return condition!
  }

  const every = (step: number, to: number, found: Look[1], from = 0): Look[] =>
    Array.from({ length: (to - from) / step + 1 }, (_, index) => [from + index * step, found])

  // biome-ignore format: a table
  const ROWS: [what: string, looks: Look[], expected: Verdict['is']][] = [
    ['is not given up before its time',               every(10, 50, waiting),                                   'waiting'],
    ['is given up when its time is over',             every(10, 60, waiting),                                   'failed'],
    ['is given up though its reason changes',         every(10, 60, waiting).map(([m, f], i) => [m, i % 2 ? { ...waiting, reason: 'partial' } : f] as Look), 'failed'],
    ['begins anew after it was met',                  [...every(10, 50, waiting), [55, met], ...every(10, 100, waiting, 60)], 'waiting'],
    ['is given up in the end all the same',           [[0, met], ...every(10, 70, waiting, 10)],                'failed'],
    ['is met after it was given up',                  [...every(10, 60, waiting), [70, met]],                   'met'],
    ['stays given up while it waits on',              every(10, 200, waiting),                                  'failed'],
    ['is not given up for looks that were not taken', [[0, waiting], ...every(10, 600, 'could not look', 10)],  'waiting'],
    ['nor by the look that follows them',             [[0, waiting], ...every(10, 600, 'could not look', 10), [610, waiting]], 'waiting'],
    ['nor while every other look fails',              every(10, 600, waiting).map(([m, f], i) => [m, i % 2 ? 'could not look' : f] as Look), 'waiting'],
    ['counts on where it was after them',             [...every(10, 30, waiting), ...every(10, 300, 'could not look', 40), ...every(10, 340, waiting, 310)], 'failed'],
  ]

  for (const [what, looks, expected] of ROWS)
    test(what, () => assert.equal(take(looks).verdict.is, expected))

  test('keeps its reason when it is given up, and says so', () => {
    assert.deepEqual(take(every(10, 60, waiting)).verdict, {
      is: 'failed',
      reason: 'not_delegated',
      message: 'Given up: Set them.',
    })
  })
})

test('each stage is given up after its own time', () => {
  for (const [type, limitMs] of [
    ['records_published', hours(1)],
    ['mail_proven', hours(24)],
    ['sender_verified', hours(72)],
    ['delegated', days(30)],
  ] as const) {
    const waited = (waitedMs: number): Verdict['is'] =>
      afterLook(stageOf(type), standing(waiting, { waitedMs }), waiting, at(0)).verdict.is
    assert.deepEqual([waited(limitMs - 1), waited(limitMs)], ['waiting', 'failed'], type)
  }
})

test('what is found failed fails at once, and nothing that is done is ever given up', () => {
  const long = { waitedMs: days(99) }
  assert.deepEqual(afterLook(STAGE, standing(waiting), failed, at(1)).verdict, failed)
  assert.deepEqual(afterLook(STAGE, standing(waiting, long), met, at(1)).verdict, met)
  assert.deepEqual(afterLook(STAGE, standing(waiting, long), skipped, at(1)).verdict, skipped)
})

test('a look that could not be taken is noted and changes nothing else', () => {
  for (const verdict of [met, waiting, failed]) {
    const before = standing(verdict, { waitedMs: 5 })
    assert.deepEqual(afterFailedLook(before, 'nobody answers'), {
      ...before,
      lastLookError: 'nobody answers',
    })
  }
})

test('the next completed look forgets that one could not be taken', () => {
  const before = standing(waiting, { lastLookError: 'nobody answers' })
  assert.equal(afterLook(STAGE, before, waiting, at(1)).lastLookError, undefined)
})

// biome-ignore format: a table
const GOING_ON: [what: string, before: Condition, found: Verdict, lookAt: Date, expected: boolean][] = [
  ['what is met and met again goes on',        standing(met),                                    met,     at(minutes(500)), true],
  ['what waits and was looked at in time',     standing(waiting),                                waiting, at(minutes(10)),  true],
  ['but not when the look was late',           standing(waiting),                                waiting, at(minutes(12)),  false],
  ['nor when its reason is another',           standing(waiting),       { ...waiting, reason: 'partial' }, at(minutes(10)), false],
  ['nor when it is met now',                   standing(waiting),                                met,     at(minutes(10)),  false],
  ['nor when the look before was not taken',   standing(waiting, { lastLookError: 'nobody' }),   waiting, at(minutes(10)),  false],
  ['nor when there was none before',           standing(waiting, { lastLookAt: undefined }),     waiting, at(minutes(10)),  false],
]

for (const [what, before, found, lookAt, expected] of GOING_ON) {
  test(`going on: ${what}`, () => {
    const after = afterLook(STAGE, before, found, lookAt)
    assert.equal(isRepeatedLook(before, after), expected)
    // Noting the time alone says the same as writing the whole condition.
    if (expected) {
      const { waitedMs, unmetMs, lastLookAt } = afterRepeatedLook(before, lookAt)
      const { waitedMs: waited, unmetMs: unmet } = after
      assert.deepEqual([waitedMs, unmetMs, lastLookAt], [waited, unmet, lookAt])
    }
  })
}

test('a look noted before the latest one changes nothing', () => {
  const condition = standing(waiting, { lastLookAt: at(5), waitedMs: 5 })
  assert.deepEqual(afterRepeatedLook(condition, at(3)), condition)
})

test('verdicts are the same when they read the same', () => {
  assert.ok(isSameVerdict(met, { is: 'met' }))
  assert.ok(isSameVerdict(waiting, { ...waiting }))
  for (const other of [
    undefined,
    met,
    failed,
    { ...waiting, reason: 'x' },
    { ...waiting, message: 'x' },
  ])
    assert.ok(!isSameVerdict(other, waiting), JSON.stringify(other))
})
