import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { activate, driverAt, edited, newClaim, openBench } from '../../../../test/azure.ts'
import { testTools } from '../../../../test/tools.ts'
import { registered } from '../conformance.ts'

const shared = await openBench()
after(() => shared[Symbol.asyncDispose]())
beforeEach(() => {
  shared.emulator.faults.clear()
  shared.emulator.calls.length = 0
})

test('a wrong secret is refused once, and then not tried again', async ({ signal }) => {
  const tools = testTools()
  const refused = driverAt(shared.emulator, tools, { client_secret: 'canary-wrong-secret' })
  for (let turn = 0; turn < 4; turn++) {
    await assert.rejects(refused.ensureDomain(newClaim(), signal), {
      kind: 'unauthorized',
      message: 'Azure refuses our credentials.',
    })
  }
  assert.equal(shared.emulator.calls.length, 1)
  assert.deepEqual(tools.told, ['The account bench rests. Azure refuses our credentials.'])
})

test('of many that come at once, one tries a wrong secret', async ({ signal }) => {
  const refused = driverAt(shared.emulator, testTools(), { client_secret: 'canary-wrong-secret' })
  const passes = Array.from({ length: 32 }, () => refused.ensureDomain(newClaim(), signal))
  const ends = await Promise.allSettled(passes)
  assert.ok(ends.every(({ status }) => status === 'rejected'))
  assert.equal(shared.emulator.calls.length, 1)
})

test('many that come at once sign in once, though the first of them is aborted', async ({
  signal,
}) => {
  const fresh = driverAt(shared.emulator, testTools())
  const first = new AbortController()
  const claims = Array.from({ length: 8 }, () => newClaim())
  shared.emulator.faults.witness = ({ path }) => {
    if (path.endsWith('/token')) first.abort()
  }
  const removals = claims.map((claim, index) =>
    fresh.removeDomain(claim, index === 0 ? first.signal : signal),
  )
  const ends = await Promise.allSettled(removals)
  shared.emulator.faults.witness = undefined
  assert.deepEqual(
    ends.map(({ status }) => status),
    ['rejected', ...claims.slice(1).map(() => 'fulfilled')],
  )
  const signIns = shared.emulator.calls.filter(({ target }) => target.endsWith('/token'))
  assert.equal(signIns.length, 1)
})

test('a client without rights is told from one with a wrong secret, and does not rest', async ({
  signal,
}) => {
  const tools = testTools()
  const denied = driverAt(shared.emulator, tools)
  shared.emulator.forbid()
  try {
    const refusal = { kind: 'forbidden', message: 'Azure denies us the right to this.' }
    for (let turn = 0; turn < 3; turn++) {
      await assert.rejects(denied.ensureDomain(newClaim(), signal), refusal)
    }
  } finally {
    shared.emulator.allow()
  }
  await registered(denied, newClaim(), signal)
  assert.deepEqual(tools.told, [
    'The account bench needs its operator. Azure denies us the right to this.',
  ])
})

test('one token that is refused is no refusal of ours: a fresh one is asked with', async ({
  signal,
}) => {
  const claim = newClaim()
  const tools = testTools()
  const driver = driverAt(shared.emulator, tools)
  await registered(driver, claim, signal)
  shared.emulator.calls.length = 0
  shared.emulator.faults.add({ kind: 'unauthorized', method: 'GET', about: claim.name })
  await registered(driver, claim, signal)
  const signIns = shared.emulator.calls.filter(({ target }) => target.endsWith('/token'))
  assert.equal(signIns.length, 1)
  assert.deepEqual(tools.told, [])
})

test('a second token that is refused is a refusal of ours', async ({ signal }) => {
  const claim = newClaim()
  const driver = driverAt(shared.emulator, testTools())
  await registered(driver, claim, signal)
  shared.emulator.faults.add({ kind: 'unauthorized', about: claim.name, times: 2 })
  await assert.rejects(driver.ensureDomain(claim, signal), {
    kind: 'unauthorized',
    message: 'Azure refuses our credentials.',
  })
})

test('credentials that are revoked in the middle change no verdict, and a later pass goes on', async ({
  signal,
}) => {
  const claim = newClaim()
  const rests = { refusedMs: 50, failingMs: 50 }
  const tools = { ...testTools(rests), notes: shared.tools.notes }
  const driver = driverAt(shared.emulator, tools)
  shared.dns.publish(await registered(driver, claim, signal))
  shared.emulator.revoke()
  await assert.rejects(driver.verifyDomain(claim, signal), { kind: 'unauthorized' })
  shared.emulator.restore()
  await delay(60)
  await activate({ ...shared, driver: driverAt(shared.emulator, tools) }, claim, signal)
})

// biome-ignore format: a table
const MISCONFIGURED = [
  [{ subscription: randomUUID() },       'Azure has no subscription with the id in the account.'],
  [{ resource_group: 'somewhere-else' }, 'Azure has no resource group with the name in the account.'],
] as const

for (const [more, message] of MISCONFIGURED) {
  test(`an account with a wrong ${Object.keys(more)} fails no domain, and none looks gone`, async ({
    signal,
  }) => {
    const claim = newClaim()
    await registered(shared.driver, claim, signal)
    const astray = driverAt(shared.emulator, testTools(), more)
    const trouble = { kind: 'unavailable', message }
    await assert.rejects(astray.ensureDomain(claim, signal), trouble)
    await assert.rejects(astray.verifyDomain(claim, signal), trouble)
    await assert.rejects(astray.removeDomain(claim, signal), trouble)
  })
}

test('a service that Azure will not or could not make fails no domain', async ({ signal }) => {
  await using bench = await openBench()
  const other = bench.emulator
  const driver = driverAt(other, testTools(), { communication_service: 'x'.repeat(63) })
  other.faults.forger = (answer, { method }) =>
    method === 'PUT'
      ? { status: 400, json: { error: { code: 'LocationNotAvailable', message: '' } } }
      : answer
  await assert.rejects(driver.ensureDomain(newClaim(), signal), {
    kind: 'unavailable',
    message: 'Azure refuses: LocationNotAvailable, for the email service.',
  })
  other.faults.forger = (answer) =>
    edited(answer, (properties) => {
      properties.provisioningState = 'Failed'
    })
  await assert.rejects(driver.ensureDomain(newClaim(), signal), {
    kind: 'unavailable',
    message: 'Azure could not make the email service: its state is Failed.',
  })
})

test('ten failures in a row let the account rest, and one success ends the row', async ({
  signal,
}) => {
  const tools = testTools({ refusedMs: 1000, failingMs: 40 })
  const driver = driverAt(shared.emulator, tools)
  const claim = newClaim()
  shared.dns.publish(await registered(driver, claim, signal))
  shared.emulator.faults.add({ kind: 'broken', times: 10 })
  for (let turn = 0; turn < 10; turn++) {
    await assert.rejects(driver.verifyDomain(claim, signal), { kind: 'unavailable' })
  }
  shared.emulator.calls.length = 0
  await assert.rejects(driver.verifyDomain(claim, signal), { kind: 'throttled' })
  assert.equal(shared.emulator.calls.length, 0)
  assert.equal(tools.told.length, 1)
  await delay(50)
  await driver.verifyDomain(claim, signal)
})
