import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BreakerReason, excessOf, pausesOf } from './breaker.ts'

// biome-ignore format: a table
const RATES: readonly [sent: number, bounced: number, complained: number, BreakerReason | undefined][] = [
  [0,      0,   0, undefined],
  [1,      1,   1, undefined],
  [99,    99,   0, undefined],
  [99,     0,  99, undefined],
  [100,    0,   0, undefined],
  [100,    1,   0, undefined],
  [100,    2,   0, 'bounce_rate'],
  [149,    2,   0, undefined],
  [150,    3,   0, 'bounce_rate'],
  [700,   13,   0, undefined],
  [700,   14,   0, 'bounce_rate'],
  [2000,  39,   1, undefined],
  [2000,  40,   1, 'bounce_rate'],
  [100,    0,   1, 'complaint_rate'],
  [1000,   0,   1, 'complaint_rate'],
  [1001,   0,   1, undefined],
  [2000,   0,   2, 'complaint_rate'],
  [2001,   0,   2, undefined],
  [100,  100, 100, 'complaint_rate'],
]

test('which rate is too high', () => {
  for (const [sent, bounced, complained, reason] of RATES)
    assert.equal(
      excessOf({ sent, bounced, complained }),
      reason,
      `${sent} ${bounced} ${complained}`,
    )
})

const inbox = (id: string, sent: number, bounced: number, complained = 0) => ({
  id,
  sent,
  bounced,
  complained,
})
const paused = (...inboxes: Parameters<typeof pausesOf>[0]) =>
  pausesOf(inboxes).map(({ inboxIds, reason }) => [inboxIds.join(), reason])

test('an inbox that exceeds a rate is paused, and not its neighbours', () => {
  assert.deepEqual(paused(), [])
  assert.deepEqual(paused(inbox('a', 100, 1), inbox('b', 40, 0)), [])
  assert.deepEqual(paused(inbox('a', 100, 2), inbox('b', 100, 0)), [['a', 'bounce_rate']])
  assert.deepEqual(
    paused(inbox('a', 100, 2), inbox('b', 900, 0), inbox('c', 200, 0), inbox('d', 200, 4)),
    [
      ['a', 'bounce_rate'],
      ['d', 'bounce_rate'],
    ],
  )
})

test('all inboxes of a domain are paused if they exceed a rate together, though none does alone', () => {
  assert.deepEqual(paused(inbox('a', 50, 1), inbox('b', 50, 1)), [['a,b', 'bounce_rate']])
  assert.deepEqual(paused(inbox('a', 60, 0, 1), inbox('b', 60, 0), inbox('c', 0, 0)), [
    ['a,b,c', 'complaint_rate'],
  ])
})

test('the message names the figures', () => {
  assert.equal(
    pausesOf([inbox('a', 120, 7)])[0]!.message,
    'Of the last 120 messages of the inboxes of this domain, 7 came back or were refused.',
  )
  assert.equal(
    pausesOf([inbox('a', 120, 0, 2), inbox('b', 3000, 0)])[0]!.message,
    'Of the last 120 messages of this inbox, 2 drew complaints.',
  )
})
