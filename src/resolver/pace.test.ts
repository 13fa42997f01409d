import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock } from '../clock.ts'
import { paced } from './pace.ts'

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

async function ask(
  times: number,
  urgency: 'asked' | 'routine',
  perSecond: number,
): Promise<number> {
  const clock = sleepingClock()
  const pace = paced(perSecond, clock)
  for (let asked = 0; asked < times; asked++) await pace('192.0.2.1', urgency, never)
  return clock.ms
}

test('one second of questions goes at once, the rest at the rate', async () => {
  assert.equal(await ask(20, 'asked', 20), 0)
  assert.equal(await ask(60, 'asked', 20), 2000)
})

test('a fifth is kept from routine questions, for those that somebody asked', async () => {
  const clock = sleepingClock()
  const pace = paced(20, clock)
  for (let asked = 0; asked < 16; asked++) await pace('192.0.2.1', 'routine', never)
  assert.equal(clock.ms, 0)
  await pace('192.0.2.1', 'asked', never)
  assert.equal(clock.ms, 0, 'an asked question does not wait')
  await pace('192.0.2.1', 'routine', never)
  assert.ok(clock.ms > 0, 'a routine one does')
})

test('each server has a budget of its own', async () => {
  const clock = sleepingClock()
  const pace = paced(1, clock)
  await pace('192.0.2.1', 'asked', never)
  await pace('192.0.2.2', 'asked', never)
  assert.equal(clock.ms, 0)
})

test('a question that is given up waits no longer', async () => {
  const pace = paced(1, sleepingClock())
  await pace('192.0.2.1', 'asked', never)
  await assert.rejects(pace('192.0.2.1', 'asked', AbortSignal.abort()), { name: 'AbortError' })
})
