import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { periodically } from './periodic.ts'

const fails = (error: unknown) => assert.fail(String(error))

test('work is done at once, and again and again', async () => {
  let times = 0
  await using _ = periodically({ everyMs: 5, onError: fails, work: async () => void times++ })
  assert.equal(times, 1)
  while (times < 4) await delay(2)
})

test('it can begin with a pause', async () => {
  let times = 0
  const work = async () => void times++
  await using _ = periodically({ everyMs: 60_000, beginsAtOnce: false, onError: fails, work })
  await delay(20)
  assert.equal(times, 0)
})

test('no time begins before the last one has ended', async () => {
  let [underWay, most, times] = [0, 0, 0]
  await using _ = periodically({
    everyMs: 1,
    onError: fails,
    async work() {
      most = Math.max(most, ++underWay)
      await delay(10)
      underWay--
      times++
    },
  })
  while (times < 5) await delay(5)
  assert.equal(most, 1)
})

test('what it throws is reported, and it is done again', async () => {
  const errors: unknown[] = []
  await using _ = periodically({
    everyMs: 1,
    onError: (error) => errors.push(error),
    work: () => Promise.reject(new Error('in vain')),
  })
  while (errors.length < 3) await delay(2)
})

test('a stop aborts what is under way, waits for it, and reports nothing of it', async () => {
  let isOver = false
  const work = async (signal: AbortSignal) => {
    await delay(60_000, undefined, { signal }).catch(() => undefined)
    await delay(10)
    isOver = true
    signal.throwIfAborted()
  }
  const periodic = periodically({ everyMs: 1, onError: fails, work })
  await delay(5)
  await periodic[Symbol.asyncDispose]()
  assert.ok(isOver)
})
