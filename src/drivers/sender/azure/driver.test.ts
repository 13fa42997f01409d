import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import type { AzureEmulator } from '../../../../emulators/azure/emulator.ts'
import type { EmulatedRequest } from '../../../../emulators/server.ts'
import { activate, edited, newClaim, openBench } from '../../../../test/azure.ts'
import { registered, senderDriverConformance } from '../conformance.ts'
import { excuses } from './excuses.ts'

const shared = await openBench()
after(() => shared[Symbol.asyncDispose]())
beforeEach(() => {
  shared.emulator.faults.clear()
  shared.emulator.calls.length = 0
})

senderDriverConformance(
  'azure',
  async () => {
    const bench = await openBench()
    const claim = newClaim()
    return {
      driver: bench.driver,
      claim,
      rival: newClaim(claim.name),
      publish: async (records) => bench.dns.publish(records),
      silence: async () => bench.emulator[Symbol.asyncDispose](),
      [Symbol.asyncDispose]: bench[Symbol.asyncDispose],
    }
  },
  excuses,
)

test('the records are those that Azure gives, whatever form their names have', async ({
  signal,
}) => {
  const claim = newClaim('mail.acme.example')
  const records = await registered(shared.driver, claim, signal)
  const written = records.map(({ name, type, purpose }) => `${name} ${type} ${purpose}`)
  assert.deepEqual(written, [
    'mail.acme.example. TXT verification',
    'mail.acme.example. TXT spf',
    'selector1-azurecomm-prod-net._domainkey.mail.acme.example. CNAME dkim',
    'selector2-azurecomm-prod-net._domainkey.mail.acme.example. CNAME dkim',
  ])
  assert.match(records[0]!.data[0]!, /^ms-domain-verification=/)
  assert.deepEqual(records[1]!.data, ['v=spf1 include:spf.protection.outlook.com -all'])
  assert.ok(records[2]!.data[0]!.endsWith('.'))
})

const forgeProvisioning = (state: string, isMeant = (_: EmulatedRequest) => true) => {
  shared.emulator.faults.forger = (answer, request) =>
    isMeant(request)
      ? edited(answer, (properties) => {
          properties.provisioningState = state
        })
      : answer
}

test('a state of a domain that we do not know is waited for, with a sentence', async ({
  signal,
}) => {
  const claim = newClaim()
  await registered(shared.driver, claim, signal)
  forgeProvisioning('Hibernating')
  assert.deepEqual(await shared.driver.ensureDomain(claim, signal), {
    is: 'waiting',
    reason: 'unknown_state',
    message:
      'Azure names a state of the domain that we do not know (Hibernating); it is waited for.',
  })
})

test('a domain that Azure could not make is told of, and made again when it is asked for again', async ({
  signal,
}) => {
  const claim = newClaim()
  await registered(shared.driver, claim, signal)
  const puts = () => shared.emulator.calls.filter(({ method }) => method === 'PUT').length
  shared.emulator.calls.length = 0
  forgeProvisioning('Failed')
  const refusal = {
    kind: 'rejected',
    message: 'Azure could not make the domain: its state is Failed.',
  }
  await assert.rejects(shared.driver.ensureDomain(claim, signal), refusal)
  assert.equal(puts(), 0)
  await assert.rejects(shared.driver.ensureDomain(claim, signal), refusal)
  assert.equal(puts(), 1)
  let isMade = false
  forgeProvisioning('Failed', ({ method }) => {
    isMade ||= method === 'PUT'
    return !isMade
  })
  assert.equal((await shared.driver.ensureDomain(claim, signal)).is, 'registered')
})

test("another domain's data is not acted upon", async ({ signal }) => {
  const [mine, other] = [newClaim(), newClaim()]
  await registered(shared.driver, mine, signal)
  shared.emulator.faults.forger = (answer) => ({
    ...answer,
    json: { ...Object(answer.json), name: other.name },
  })
  const trouble = { kind: 'unavailable', message: "Azure answered with another domain's data." }
  await assert.rejects(shared.driver.verifyDomain(mine, signal), trouble)
  await assert.rejects(shared.driver.removeDomain(mine, signal), trouble)
  assert.ok(shared.emulator.holdings().domains.includes(mine.name))
})

test('a domain is linked once all four checks are done, beside those that are linked already', async ({
  signal,
}) => {
  const [first, second] = [newClaim(), newClaim()]
  await activate(shared, first, signal)
  await activate(shared, second, signal)
  const linked = shared.emulator.holdings().linkedDomains.join().toLowerCase()
  assert.ok(linked.includes(`/${first.name}`) && linked.includes(`/${second.name}`))
})

/** Shows so many looks at the links, after they were first written, what was there before. */
function hideLinks(emulator: AzureEmulator, looks: number, shown: readonly string[] = []) {
  let isWritten = false
  let left = looks
  emulator.faults.forger = (answer, { method, path }) => {
    if (!path.endsWith('/communicationServices/mailstead')) return answer
    isWritten ||= method === 'PATCH'
    if (method !== 'GET' || !isWritten || left === 0) return answer
    left -= 1
    return edited(answer, (properties) => {
      properties.linkedDomains = shown
    })
  }
}

const patches = () => shared.emulator.calls.filter(({ method }) => method === 'PATCH').length

test('a link that was taken and is not shown is written again, and believed only when it is shown', async ({
  signal,
}) => {
  const claim = newClaim()
  hideLinks(shared.emulator, 1)
  await activate(shared, claim, signal)
  assert.equal(patches(), 2)
  const other = newClaim()
  hideLinks(shared.emulator, 100)
  await assert.rejects(activate(shared, other, signal), {
    kind: 'unavailable',
    message: 'Azure took the links of domains, and does not show them.',
  })
  assert.equal(patches(), 5)
})

test('a link that is still shown keeps its domain from being deleted', async ({ signal }) => {
  const claim = newClaim()
  await activate(shared, claim, signal)
  hideLinks(shared.emulator, 100, shared.emulator.holdings().linkedDomains)
  await assert.rejects(shared.driver.removeDomain(claim, signal), { kind: 'unavailable' })
  assert.ok(shared.emulator.holdings().domains.includes(claim.name))
})

test('removal unlinks first, takes what hangs on the domain, and leaves others linked', async ({
  signal,
}) => {
  const [mine, other] = [newClaim(), newClaim()]
  await activate(shared, mine, signal)
  await activate(shared, other, signal)
  await shared.driver.identities!.ensure(mine, { localpart: 'kim', displayName: 'Kim' }, signal)
  shared.emulator.calls.length = 0
  await shared.driver.removeDomain(mine, signal)
  const writes = shared.emulator.calls.filter(({ method }) => method !== 'GET')
  const order = writes.map(
    ({ method, target }) => `${method} ${target.split('?')[0]!.split('/').slice(-2)[0]}`,
  )
  assert.deepEqual(order, [
    'PATCH communicationServices',
    'DELETE senderUsernames',
    'DELETE domains',
  ])
  const { domains, linkedDomains } = shared.emulator.holdings()
  assert.ok(!domains.includes(mine.name))
  assert.ok(linkedDomains.some((id) => id.endsWith(`/${other.name}`)))
})

// biome-ignore format: a table
const NONSENSE = [
  ['html',      'unavailable', 'Azure answered with something that is not JSON.'],
  ['half',      'unavailable', 'Azure answered with something that is not JSON.'],
  ['empty',     'unavailable', 'Azure answered in a shape we do not know.'],
  ['broken',    'unavailable', 'Azure is out of order: it answered 503.'],
  ['lost',      'unavailable', 'Azure could not be reached.'],
  ['html_404',  'unavailable', 'Azure answered 404 with something that is not JSON.'],
  ['empty_404', 'unavailable', 'Azure answered 404 with nothing.'],
  ['other_404', 'unavailable', 'Azure answered 404 in a shape we do not know.'],
  ['throttled', 'throttled',   'Azure has had enough requests for now.'],
] as const

for (const [kind, error, message] of NONSENSE) {
  test(`an answer that is ${kind} is ${error}, and no "no"`, async ({ signal }) => {
    const claim = newClaim()
    await activate(shared, claim, signal)
    shared.emulator.faults.add({ kind, method: 'GET', about: claim.name })
    await assert.rejects(shared.driver.verifyDomain(claim, signal), {
      name: 'DriverError',
      kind: error,
      message,
    })
    assert.equal((await shared.driver.verifyDomain(claim, signal)).is, 'verified')
  })
}

for (const kind of ['html_404', 'empty_404', 'other_404'] as const) {
  test(`a proxy's ${kind} is not taken for a domain that is gone`, async ({ signal }) => {
    const claim = newClaim()
    await registered(shared.driver, claim, signal)
    shared.emulator.faults.add({ kind, method: 'GET', about: claim.name })
    await assert.rejects(shared.driver.removeDomain(claim, signal), { kind: 'unavailable' })
    shared.emulator.faults.add({ kind, method: 'DELETE', about: claim.name })
    await assert.rejects(shared.driver.removeDomain(claim, signal), { kind: 'unavailable' })
    assert.ok(shared.emulator.holdings().domains.includes(claim.name))
  })
}

test('a lost answer to the making of the domain costs a repeat and makes no second one', async ({
  signal,
}) => {
  for (const kind of ['lost_after', 'broken_after', 'half', 'empty'] as const) {
    const claim = newClaim()
    shared.emulator.faults.add({ kind, method: 'PUT', about: claim.name })
    await assert.rejects(shared.driver.ensureDomain(claim, signal), { kind: 'unavailable' })
    await activate(shared, claim, signal)
    assert.equal(shared.emulator.holdings().domains.filter((name) => name === claim.name).length, 1)
  }
})
