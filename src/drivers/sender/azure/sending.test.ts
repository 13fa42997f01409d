import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import type { AzureEmulator } from '../../../../emulators/azure/emulator.ts'
import {
  activate,
  atService,
  fromStanding,
  newClaim,
  openBench,
  unlinkAll,
} from '../../../../test/azure.ts'

const shared = await openBench()
after(() => shared[Symbol.asyncDispose]())
beforeEach(() => {
  shared.emulator.faults.clear()
  shared.emulator.calls.length = 0
})

test('at the limits a subscription begins with, an identity is refused with what would help', async ({
  signal,
}) => {
  await using bench = await openBench({ senderUsernamesAllowed: false })
  const claim = newClaim()
  await activate(bench, claim, signal)
  const refusal = await bench.driver.identities!.ensure(
    claim,
    { localpart: 'kim', displayName: 'Kim' },
    signal,
  )
  assert.equal(refusal?.reason, 'needs_quota_raise')
  assert.match(refusal!.message, /must have its sending limits raised/)
  await bench.driver.send(claim, await fromStanding(), signal)
})

test('a subscription whose quota is used up is throttled, for as long as Azure says', async ({
  signal,
}) => {
  await using bench = await openBench({ sendsPerMinute: 0, sendsPerHour: 2 })
  const claim = newClaim()
  await activate(bench, claim, signal)
  for (let sent = 0; sent < 2; sent++) await bench.driver.send(claim, await fromStanding(), signal)
  await assert.rejects(bench.driver.send(claim, await fromStanding(), signal), (error: object) => {
    assert.ok('kind' in error && error.kind === 'throttled')
    assert.ok('retryAfterMs' in error && Number(error.retryAfterMs) > 60_000)
    return true
  })
  assert.equal((await bench.driver.verifyDomain(claim, signal)).is, 'verified')
})

const sends = ({ calls }: AzureEmulator) =>
  calls.filter(({ target }) => target.startsWith('/emails:send')).length

test('a key that was rotated is asked for anew, and the message goes out all the same', async ({
  signal,
}) => {
  const claim = newClaim()
  await activate(shared, claim, signal)
  await shared.driver.send(claim, await fromStanding(), signal)
  await atService(shared.emulator, 'POST', '/regenerateKey', { keyType: 'Primary' })
  shared.emulator.calls.length = 0
  await shared.driver.send(claim, await fromStanding(), signal)
  await shared.driver.send(claim, await fromStanding(), signal)
  const asked = shared.emulator.calls.filter(({ target }) => target.includes('listKeys')).length
  assert.equal(asked, 1, 'the key is asked for anew, once')
})

test('where keys are switched off sending waits for an hour, and nothing else does', async ({
  signal,
}) => {
  await using bench = await openBench()
  const { driver, tools, emulator } = bench
  const claim = newClaim()
  await activate(bench, claim, signal)
  await atService(emulator, 'PATCH', '', { properties: { disableLocalAuth: true } })
  emulator.calls.length = 0
  const message =
    'Azure refuses the access key that it has just given us; keys may be switched off at the communication service.'
  for (let turn = 0; turn < 3; turn++) {
    await assert.rejects(driver.send(claim, await fromStanding(), signal), {
      kind: 'unauthorized',
      message,
    })
  }
  assert.equal(sends(emulator), 2)
  assert.deepEqual(tools.told, [`The account bench needs its operator. ${message}`])
  assert.equal((await driver.verifyDomain(claim, signal)).is, 'verified')
  await atService(emulator, 'PATCH', '', { properties: { disableLocalAuth: false } })
  bench.pass(3_600_000)
  await driver.send(claim, await fromStanding(), signal)
})

test('a subscription that is blocked sends nothing, says so, and goes on with the rest', async ({
  signal,
}) => {
  await using bench = await openBench()
  const { driver, tools, emulator } = bench
  const claim = newClaim()
  await activate(bench, claim, signal)
  emulator.blockSending()
  const message = 'Azure has blocked the whole subscription from sending.'
  for (let turn = 0; turn < 2; turn++) {
    await assert.rejects(driver.send(claim, await fromStanding(), signal), {
      kind: 'forbidden',
      message,
    })
  }
  assert.deepEqual(tools.told, [`The account bench needs its operator. ${message}`])
  assert.equal((await driver.verifyDomain(claim, signal)).is, 'verified')
  emulator.unblockSending()
  await driver.send(claim, await fromStanding(), signal)
})

for (const notLinkedStatus of [403, 404] as const) {
  test(`a domain that is not linked is known by the code, with ${notLinkedStatus} too`, async ({
    signal,
  }) => {
    await using bench = await openBench({ notLinkedStatus })
    const { driver, tools, emulator } = bench
    const claim = newClaim()
    await activate(bench, claim, signal)
    await unlinkAll(emulator)
    await assert.rejects(driver.send(claim, await fromStanding(), signal), {
      kind: 'unavailable',
      message: 'Azure says that the domain is not linked; it is linked again.',
    })
    await driver.verifyDomain(claim, signal)
    await driver.send(claim, await fromStanding(), signal)
    assert.deepEqual(tools.told, [])
  })
}

test('a page instead of an answer to a message is no refusal of it', async ({ signal }) => {
  const claim = newClaim()
  await activate(shared, claim, signal)
  for (const kind of ['html', 'half', 'empty', 'html_404', 'empty_404', 'other_404'] as const) {
    shared.emulator.faults.add({ kind, about: 'emails:send' })
    await assert.rejects(shared.driver.send(claim, await fromStanding(), signal), {
      kind: 'unavailable',
    })
  }
})

test('a link that somebody took away is put back', async ({ signal }) => {
  await using bench = await openBench()
  const claim = newClaim()
  await activate(bench, claim, signal)
  await unlinkAll(bench.emulator)
  assert.deepEqual(bench.emulator.holdings().linkedDomains, [])
  await assert.rejects(bench.driver.send(claim, await fromStanding(), signal), {
    kind: 'unavailable',
    message: 'Azure says that the domain is not linked; it is linked again.',
  })
  assert.equal((await bench.driver.verifyDomain(claim, signal)).is, 'verified')
  assert.equal(bench.emulator.holdings().linkedDomains.length, 1)
})
