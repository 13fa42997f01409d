import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, systemClock } from '../clock.ts'
import { paced, paceExcept, shareOf, type Urgency } from './pace.ts'

/** A clock that only sleeping moves. */
function sleepingClock(): Clock & { ms: number } {
  const clock = {
    ms: 0,
    now: () => new Date(clock.ms),
    async sleep(ms: number, signal?: AbortSignal) {
      signal?.throwIfAborted()
      clock.ms += ms
    },
  }
  return clock
}

const never = new AbortController().signal

/** When each of so many questions went, in milliseconds, all of them wanted at once. */
async function ask(times: number, urgency: Urgency, perSecond: number): Promise<number[]> {
  const clock = sleepingClock()
  const pace = paced(() => perSecond, clock)
  const went: number[] = []
  for (let asked = 0; asked < times; asked++) {
    await pace('192.0.2.1', urgency, never)
    went.push(clock.ms)
  }
  return went
}

for (const [urgency, perSecond, most] of [
  ['asked', 20, 20],
  ['routine', 20, 16],
  ['asked', 300, 300],
  ['routine', 1, 1],
  ['asked', 1, 1],
] as const) {
  test(`${urgency} questions, ${perSecond} a second: ${most} in any second, and none later than need be`, async () => {
    const went = await ask(100, urgency, perSecond)
    for (const [index, at] of went.entries()) {
      const within = went.slice(index).filter((each) => each - at < 1000)
      assert.ok(within.length <= most, `${within.length} within a second`)
    }
    assert.ok(went.at(-1)! <= 1400 * (100 / most), `the last went after ${went.at(-1)} ms`)
  })
}

test('an asked question goes before routine ones that wait already', async () => {
  const pace = paced(() => 2, systemClock)
  await pace('192.0.2.1', 'routine', never)
  const went: string[] = []
  const one = async (urgency: Urgency) => {
    await pace('192.0.2.1', urgency, never)
    went.push(urgency)
  }
  await Promise.all([one('routine'), one('routine'), one('asked')])
  assert.equal(went[0], 'asked')
})

test('each server has a budget of its own', async () => {
  const clock = sleepingClock()
  const pace = paced(() => 1, clock)
  await pace('192.0.2.1', 'asked', never)
  await pace('192.0.2.2', 'asked', never)
  assert.equal(clock.ms, 0)
})

test('a question that is given up waits no longer', async () => {
  const pace = paced(() => 1, sleepingClock())
  await pace('192.0.2.1', 'asked', never)
  await assert.rejects(pace('192.0.2.1', 'asked', AbortSignal.abort()), { name: 'AbortError' })
})

// biome-ignore format: a table
const SHARES: [perSecond: number, share: number, questions: number][] = [
  [20, 1,     20],
  [20, 1 / 2, 10],
  [20, 1 / 3, 6],
  [3,  1 / 3, 1],
  [30, 1 / 3, 10],
  [1,  1 / 2, 0.5],
  [20, 0,     0],
]

for (const [perSecond, share, questions] of SHARES) {
  test(`of ${perSecond} questions a second, a share of ${share.toFixed(2)} is ${questions}`, () => {
    assert.equal(shareOf(perSecond, share), questions)
  })
}

test('without a share nothing is asked, and with one again', async () => {
  const clock = sleepingClock()
  const pace = paced(() => (clock.ms < 5000 ? 0 : 10), clock)
  await pace('192.0.2.1', 'asked', never)
  assert.ok(clock.ms >= 5000, `asked after ${clock.ms} ms`)
})

test('a share that grows smaller counts from the next question on', async () => {
  const clock = sleepingClock()
  let perSecond = 10
  const pace = paced(() => perSecond, clock)
  await pace('192.0.2.1', 'asked', never)
  perSecond = 1
  await pace('192.0.2.1', 'asked', never)
  assert.ok(clock.ms >= 1000, `asked after ${clock.ms} ms`)
})

test('our own servers are asked at once, and are no part of the pace', async () => {
  const clock = sleepingClock()
  const pace = paceExcept(
    paced(() => 1, clock),
    (address) => address === '192.0.2.53',
  )
  for (const _ of [1, 2, 3]) await pace('192.0.2.53', 'routine', never)
  await pace('192.0.2.1', 'asked', never)
  assert.equal(clock.ms, 0)
})
