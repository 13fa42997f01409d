import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import {
  activate,
  deleteByHand,
  driverAt,
  edited,
  newClaim,
  openBench,
  unlinkAll,
} from '../../../../test/azure.ts'
import { registered } from '../conformance.ts'

const shared = await openBench()
after(() => shared[Symbol.asyncDispose]())
beforeEach(() => {
  shared.emulator.faults.clear()
  shared.emulator.calls.length = 0
})

test('ownership is asked for first, the other checks once it is verified', async ({ signal }) => {
  const claim = newClaim()
  await activate(shared, claim, signal)
  const begun = shared.emulator.calls
    .filter(({ target }) => target.includes('initiateVerification'))
    .map(({ body }) => JSON.parse(body).verificationType)
  assert.equal(begun[0], 'Domain')
  assert.deepEqual([...new Set(begun)], ['Domain', 'SPF', 'DKIM', 'DKIM2'])
})

test('a soft SPF policy is not accepted; the sentence says so, and it is checked again', async ({
  signal,
}) => {
  const claim = newClaim()
  const records = await registered(shared.driver, claim, signal)
  const soft = records.map((record) => ({
    ...record,
    data: record.data.map((value) => value.replace('-all', '~all')),
  }))
  shared.dns.publish(soft)
  const seen = new Set<string>()
  for (let look = 0; look < 12; look++) {
    const found = await shared.driver.verifyDomain(claim, signal)
    if (found.is === 'waiting') seen.add(found.message.replace(/ \(.*\)/, ''))
    await delay(10)
  }
  assert.ok(
    seen.has('Azure did not accept the SPF policy; it is asked again from time to time.'),
    [...seen].join('|'),
  )
  await activate(shared, claim, signal)
})

for (const as of ['VerificationInProgress', 'NotStarted'] as const) {
  test(`a check that is stuck at ${as} is begun again, and called stuck`, async ({ signal }) => {
    const claim = newClaim()
    shared.dns.publish(await registered(shared.driver, claim, signal))
    shared.emulator.stick(claim.name, 'DKIM', { as })
    const seen = new Set<string>()
    for (let look = 0; look < 100; look++) {
      const found = await shared.driver.verifyDomain(claim, signal)
      seen.add(found.is === 'waiting' ? found.reason : found.is)
      if (found.is === 'verified') break
      await delay(10)
    }
    assert.ok(seen.has('check_stuck') && seen.has('verified'), [...seen].join())
  })
}

/** Every check of the domain is shown in this state. */
const forgeChecks = (status: string) => {
  shared.emulator.faults.forger = (answer) =>
    edited(answer, (properties) => {
      if (!properties.verificationStates) return
      for (const check of Object.values<{ status: string }>(properties.verificationStates)) {
        check.status = status
      }
    })
}

const initiations = () =>
  shared.emulator.calls.filter(({ target }) => target.includes('initiateVerification'))

test('a check that somebody else began is not begun again, and its time counts from now', async ({
  signal,
}) => {
  const claim = newClaim()
  await registered(shared.driver, claim, signal)
  shared.emulator.calls.length = 0
  forgeChecks('VerificationInProgress')
  for (let look = 0; look < 3; look++) {
    assert.deepEqual(await shared.driver.verifyDomain(claim, signal), {
      is: 'waiting',
      reason: 'under_way',
      message: 'Azure is checking the ownership code.',
    })
  }
  assert.equal(initiations().length, 0)
})

test('a check that Azure did not begin is asked for again by the next look', async ({ signal }) => {
  const claim = newClaim()
  await registered(shared.driver, claim, signal)
  shared.dns.silence(true)
  await shared.driver.verifyDomain(claim, signal)
  await shared.tools.notes.forget(claim.claimId)
  shared.emulator.calls.length = 0
  forgeChecks('NotStarted')
  for (let look = 0; look < 3; look++) await shared.driver.verifyDomain(claim, signal)
  shared.dns.silence(false)
  assert.equal(initiations().length, 3)
})

test('a domain that is made again after somebody deleted it is checked at once, and not called stuck', async ({
  signal,
}) => {
  const claim = newClaim()
  const patient = driverAt(shared.emulator, shared.tools, { check_stuck_seconds: 3600 })
  await activate({ ...shared, driver: patient }, claim, signal)
  await unlinkAll(shared.emulator)
  await deleteByHand(shared.emulator, claim.name)
  await activate({ ...shared, driver: patient }, claim, signal)
})

test('a state of a check that we do not know is waited for, with a sentence', async ({
  signal,
}) => {
  const claim = newClaim()
  await registered(shared.driver, claim, signal)
  shared.emulator.calls.length = 0
  forgeChecks('VerificationPaused')
  const checked = await shared.driver.verifyDomain(claim, signal)
  assert.deepEqual(checked, {
    is: 'waiting',
    reason: 'unknown_state',
    message:
      'Azure names a state of its check of the ownership code (VerificationPaused) that we do not know; it is waited for.',
  })
  assert.equal(initiations().length, 0)
})
