import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DriverError, type DriverErrorKind } from './errors.ts'
import { accountGuard, type Guard } from './guard.ts'

const HOUR_MS = 3_600_000
const AT_ONCE = 32

/** A guard with a clock of its own, and a provider that answers when it is told to. */
function bench() {
  let nowMs = 0
  const told: string[] = []
  const calls: PromiseWithResolvers<string>[] = []
  const guard = accountGuard({
    account: 'bench',
    now: () => nowMs,
    onTrouble: (sentence) => void told.push(sentence),
  })
  const call = () => {
    const answer = Promise.withResolvers<string>()
    calls.push(answer)
    return answer.promise
  }
  return {
    guard,
    told,
    calls,
    call,
    pass: (ms: number) => {
      nowMs += ms
    },
    /** Asks so often at once, and gives how each ended. */
    ask: (signal: AbortSignal, times = AT_ONCE) =>
      Promise.all(Array.from({ length: times }, () => ending(guard, call, signal))),
  }
}

const ending = (guard: Guard, call: () => Promise<string>, signal: AbortSignal) =>
  guard.run(call, signal).catch((error: Error) => ('kind' in error ? error.kind : error.name))

const trouble = (kind: DriverErrorKind): DriverError => new DriverError(kind, `It is ${kind}.`)
const all = <T>(value: T): T[] => Array.from({ length: AT_ONCE }, () => value)

/** Lets whoever waits for something that has happened go on. */
const settle = () => new Promise(setImmediate)

test('of many at once one tries a wrong key, and all are refused', async ({ signal }) => {
  const { ask, calls, told } = bench()
  const asked = ask(signal)
  await settle()
  assert.equal(calls.length, 1)
  calls[0]!.reject(trouble('unauthorized'))
  assert.deepEqual(await asked, all('unauthorized'))
  assert.equal(calls.length, 1)
  assert.deepEqual(told, ['The account bench rests. It is unauthorized.'])
})

test('a key that is still wrong is tried once more an hour later, and no more', async ({
  signal,
}) => {
  const { ask, calls, pass } = bench()
  for (const tries of [1, 2, 3]) {
    const asked = ask(signal)
    await settle()
    calls.at(-1)!.reject(trouble('unauthorized'))
    assert.deepEqual(await asked, all('unauthorized'))
    assert.deepEqual(await ask(signal), all('unauthorized'))
    assert.equal(calls.length, tries)
    pass(HOUR_MS)
  }
})

test('once the account has answered all are let through, until it rests again', async ({
  signal,
}) => {
  const { ask, calls, pass, guard } = bench()
  const asked = ask(signal)
  await settle()
  calls[0]!.resolve('yes')
  await settle()
  assert.equal(calls.length, AT_ONCE)
  for (const { resolve } of calls) resolve('yes')
  assert.deepEqual(await asked, all('yes'))
  guard.rest(1000, 'Enough.')
  assert.deepEqual(await ask(signal), all('throttled'))
  pass(1000)
  const later = ask(signal)
  await settle()
  assert.equal(calls.length, AT_ONCE + 1, 'one alone after the rest')
  calls.at(-1)!.resolve('yes')
  await settle()
  for (const { resolve } of calls) resolve('yes')
  assert.deepEqual(await later, all('yes'))
})

test('a rest that many find out at once is told once, and the next one again', async ({
  signal,
}) => {
  const { ask, calls, told, pass } = bench()
  const known = ask(signal, 1)
  calls[0]!.resolve('yes')
  await known
  for (const times of [1, 2]) {
    const from = calls.length
    const asked = ask(signal, times === 1 ? AT_ONCE : 1)
    await settle()
    for (const { reject } of calls.slice(from)) {
      pass(1)
      reject(trouble('unauthorized'))
      await settle()
    }
    await asked
    assert.equal(told.length, times)
    pass(HOUR_MS)
  }
})

test('a right that is lacking shows that the key is known: nothing rests, and it is told once an hour', async ({
  signal,
}) => {
  const { ask, calls, told, pass } = bench()
  const asked = ask(signal)
  await settle()
  calls[0]!.reject(trouble('forbidden'))
  await settle()
  assert.equal(calls.length, AT_ONCE)
  for (const { reject } of calls.slice(1)) reject(trouble('forbidden'))
  assert.deepEqual(await asked, all('forbidden'))
  const sentence = 'The account bench needs its operator. It is forbidden.'
  assert.deepEqual(told, [sentence])
  pass(HOUR_MS)
  const later = ask(signal, 1)
  await settle()
  calls.at(-1)!.reject(trouble('forbidden'))
  assert.deepEqual(await later, ['forbidden'])
  assert.deepEqual(told, [sentence, sentence])
})

test('those that wait for a call without an answer fare as it does, and the next one tries', async ({
  signal,
}) => {
  const { ask, calls } = bench()
  const asked = ask(signal)
  await settle()
  calls[0]!.reject(trouble('unavailable'))
  assert.deepEqual(await asked, all('unavailable'))
  const later = ask(signal)
  await settle()
  assert.equal(calls.length, 2)
  calls[1]!.reject(trouble('unavailable'))
  await later
})

test('who waits can be aborted, and who tries too: then another tries', async ({ signal }) => {
  const { guard, call, calls } = bench()
  const [first, second] = [new AbortController(), new AbortController()]
  const aborted = () => first.signal.throwIfAborted()
  const trying = ending(guard, () => call().finally(aborted), first.signal)
  const waiting = ending(guard, call, second.signal)
  const third = ending(guard, call, signal)
  second.abort()
  assert.equal(await waiting, 'AbortError')
  assert.equal(calls.length, 1)
  first.abort()
  calls[0]!.reject(trouble('unavailable'))
  assert.equal(await trying, 'AbortError')
  await settle()
  assert.equal(calls.length, 2)
  calls[1]!.resolve('yes')
  assert.equal(await third, 'yes')
})

test('ten failures in a row are a rest of a minute, that counts for nothing', async ({
  signal,
}) => {
  const { ask, calls, pass } = bench()
  for (let turn = 0; turn < 10; turn++) {
    const asked = ask(signal, 1)
    calls.at(-1)!.reject(trouble('unavailable'))
    assert.deepEqual(await asked, ['unavailable'])
  }
  assert.deepEqual(await ask(signal, 1), ['throttled'])
  pass(60_000)
  const asked = ask(signal, 1)
  calls.at(-1)!.resolve('yes')
  assert.deepEqual(await asked, ['yes'])
})
