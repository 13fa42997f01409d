import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { azureSettings } from '../../../../emulators/accounts.ts'
import {
  type AzureEmulator,
  type AzureEmulatorOptions,
  startAzureEmulator,
} from '../../../../emulators/azure/emulator.ts'
import type { EmulatedAnswer, EmulatedRequest } from '../../../../emulators/server.ts'
import { type TestTools, testTools } from '../../../../test/tools.ts'
import { MESSAGE, registered, senderDriverConformance } from '../conformance.ts'
import type { ClaimRef, NeededRecord, SenderDriver } from '../contract.ts'
import { azure } from './driver.ts'
import { excuses } from './excuses.ts'

/** A DNS that shows what it is told, and can go silent. */
function testDns() {
  let records: readonly NeededRecord[] = []
  let isSilent = false
  return {
    publish: (shown: readonly NeededRecord[]) => {
      records = shown
    },
    silence: (isSo = true) => {
      isSilent = isSo
    },
    async ask(name: string, type: string): Promise<readonly string[]> {
      if (isSilent) throw new Error('no nameserver answers')
      return records
        .filter((record) => record.name === `${name}.` && record.type === type)
        .flatMap(({ data }) =>
          data.map((value) => (type === 'CNAME' ? value.replace(/[.]$/, '') : value)),
        )
    },
  }
}

type Bench = {
  emulator: AzureEmulator
  dns: ReturnType<typeof testDns>
  tools: TestTools
  driver: SenderDriver
}

async function openBench(options: Partial<AzureEmulatorOptions> = {}) {
  const dns = testDns()
  const emulator = await startAzureEmulator({
    ask: dns.ask,
    sendsPerMinute: 0,
    sendsPerHour: 0,
    ...options,
  })
  const tools = testTools()
  return { emulator, dns, tools, driver: driverAt(emulator, tools) }
}

/** A bench of one test, with a clock that can be told to go on. */
async function disposable(options: Partial<AzureEmulatorOptions> = {}) {
  let passedMs = 0
  const now = () => Date.now() + passedMs
  const bench = await openBench({ ...options, now })
  const tools = { ...bench.tools, now }
  return {
    ...bench,
    tools,
    driver: driverAt(bench.emulator, tools),
    pass: (ms: number) => {
      passedMs += ms
    },
    [Symbol.asyncDispose]: () => bench.emulator[Symbol.asyncDispose](),
  }
}

const settingsFor = (emulator: AzureEmulator, more: object = {}) => ({
  ...azureSettings(emulator),
  check_again_seconds: 0.02,
  check_stuck_seconds: 0.2,
  ...more,
})

const driverAt = (emulator: AzureEmulator, tools: TestTools, more: object = {}): SenderDriver =>
  azure.open(azure.settings.parse(settingsFor(emulator, more)), tools)

let count = 0
const newClaim = (name = `c${++count}.example`): ClaimRef => {
  return { claimId: randomUUID(), name, nameservers: [] }
}

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
      [Symbol.asyncDispose]: async () => bench.emulator[Symbol.asyncDispose](),
    }
  },
  excuses,
)

const shared = await openBench()
after(() => shared.emulator[Symbol.asyncDispose]())
beforeEach(() => {
  shared.emulator.faults.clear()
  shared.emulator.calls.length = 0
})

/** Registers, publishes and follows the checks until Azure is content or `looks` are used up. */
async function activate({ driver, dns }: Bench, claim: ClaimRef, signal: AbortSignal, looks = 40) {
  dns.publish(await registered(driver, claim, signal))
  for (let look = 0; look < looks; look++) {
    if ((await driver.verifyDomain(claim, signal)).is === 'verified') return
    await delay(10)
  }
  assert.fail('Azure was not content in time')
}

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

const forgeProvisioning = (state: string, isMeant = (_: EmulatedRequest) => true) => {
  shared.emulator.faults.forger = (answer, request) =>
    isMeant(request)
      ? edited(answer, (properties) => {
          properties.provisioningState = state
        })
      : answer
}

// biome-ignore lint/suspicious/noExplicitAny: what Azure says of a resource
function edited(answer: EmulatedAnswer, edit: (properties: any) => void): EmulatedAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: the same
  const json: any = structuredClone(answer.json)
  if (json?.properties) edit(json.properties)
  return { ...answer, json }
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

test('states that we do not know are waited for, with a sentence', async ({ signal }) => {
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

test('a service that Azure will not or could not make fails no domain', async ({ signal }) => {
  await using other = (await openBench()).emulator
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

test('a link that somebody took away is put back', async ({ signal }) => {
  const bench = await openBench()
  try {
    const claim = newClaim()
    await activate(bench, claim, signal)
    await unlinkAll(bench.emulator)
    assert.deepEqual(bench.emulator.holdings().linkedDomains, [])
    await assert.rejects(bench.driver.send(claim, MESSAGE_FROM_STANDING, signal), {
      kind: 'unavailable',
      message: 'Azure says that the domain is not linked; it is linked again.',
    })
    assert.equal((await bench.driver.verifyDomain(claim, signal)).is, 'verified')
    assert.equal(bench.emulator.holdings().linkedDomains.length, 1)
  } finally {
    await bench.emulator[Symbol.asyncDispose]()
  }
})

const MESSAGE_FROM_STANDING = {
  ...MESSAGE,
  author: { localpart: 'DoNotReply', displayName: 'Mailstead' },
}

type Place = Pick<AzureEmulator, 'url' | 'credentials'>

const tokenOf = async ({ url, credentials }: Place): Promise<string> => {
  const answer = await fetch(`${url}/${credentials.tenantId}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: credentials.clientId,
      client_secret: credentials.clientSecret,
      scope: 'https://management.azure.com/.default',
    }),
  })
  return ((await answer.json()) as { access_token: string }).access_token
}

/** What somebody does by hand, below the resource group. */
async function byHand(place: Place, method: string, path: string, json?: object) {
  const { url, credentials } = place
  const { subscription, resourceGroup } = credentials
  const group = `${url}/subscriptions/${subscription}/resourceGroups/${resourceGroup}`
  const headers = {
    authorization: `Bearer ${await tokenOf(place)}`,
    'content-type': 'application/json',
  }
  return fetch(`${group}/providers/Microsoft.Communication/${path}?api-version=2025-09-01`, {
    method,
    headers,
    body: json ? JSON.stringify(json) : null,
  })
}

const atService = async (place: Place, method: string, path: string, json: object) => {
  const answer = await byHand(place, method, `communicationServices/mailstead${path}`, json)
  assert.equal(answer.status, 200)
}

const unlinkAll = (place: Place) =>
  atService(place, 'PATCH', '', { properties: { linkedDomains: [] } })

const deleteByHand = async (place: Place, name: string) => {
  const domain = `emailServices/mailstead/domains/${name}`
  await byHand(place, 'DELETE', domain)
  while ((await byHand(place, 'GET', domain)).status !== 404) await delay(1)
}

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

test('at the limits a subscription begins with, an identity is refused with what would help', async ({
  signal,
}) => {
  const bench = await openBench({ senderUsernamesAllowed: false })
  try {
    const claim = newClaim()
    await activate(bench, claim, signal)
    const refusal = await bench.driver.identities!.ensure(
      claim,
      { localpart: 'kim', displayName: 'Kim' },
      signal,
    )
    assert.equal(refusal?.reason, 'needs_quota_raise')
    assert.match(refusal!.message, /must have its sending limits raised/)
    await bench.driver.send(claim, MESSAGE_FROM_STANDING, signal)
  } finally {
    await bench.emulator[Symbol.asyncDispose]()
  }
})

test('a subscription whose quota is used up is throttled, for as long as Azure says', async ({
  signal,
}) => {
  const bench = await openBench({ sendsPerMinute: 0, sendsPerHour: 2 })
  try {
    const claim = newClaim()
    await activate(bench, claim, signal)
    for (let sent = 0; sent < 2; sent++)
      await bench.driver.send(claim, MESSAGE_FROM_STANDING, signal)
    await assert.rejects(
      bench.driver.send(claim, MESSAGE_FROM_STANDING, signal),
      (error: object) => {
        assert.ok('kind' in error && error.kind === 'throttled')
        assert.ok('retryAfterMs' in error && Number(error.retryAfterMs) > 60_000)
        return true
      },
    )
    assert.equal((await bench.driver.verifyDomain(claim, signal)).is, 'verified')
  } finally {
    await bench.emulator[Symbol.asyncDispose]()
  }
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
    'The account bench needs a hand. Azure denies us the right to this.',
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

// biome-ignore format: a table
const MISCONFIGURED = [
  [{ subscription: randomUUID() },       'Azure finds no subscription as the account names it.'],
  [{ resource_group: 'somewhere-else' }, 'Azure finds no resource group as the account names it.'],
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

const sends = ({ calls }: AzureEmulator) =>
  calls.filter(({ target }) => target.startsWith('/emails:send')).length

test('a key that was rotated is asked for anew, and the message goes out all the same', async ({
  signal,
}) => {
  const claim = newClaim()
  await activate(shared, claim, signal)
  await shared.driver.send(claim, MESSAGE_FROM_STANDING, signal)
  await atService(shared.emulator, 'POST', '/regenerateKey', { keyType: 'Primary' })
  shared.emulator.calls.length = 0
  await shared.driver.send(claim, MESSAGE_FROM_STANDING, signal)
  await shared.driver.send(claim, MESSAGE_FROM_STANDING, signal)
  const asked = shared.emulator.calls.filter(({ target }) => target.includes('listKeys')).length
  assert.equal(asked, 1, 'the key is asked for anew, once')
})

test('where keys are switched off sending waits for an hour, and nothing else does', async ({
  signal,
}) => {
  await using bench = await disposable()
  const { driver, tools, emulator } = bench
  const claim = newClaim()
  await activate(bench, claim, signal)
  await atService(emulator, 'PATCH', '', { properties: { disableLocalAuth: true } })
  emulator.calls.length = 0
  const message =
    'Azure refuses the access key that it has just given us; keys may be switched off at the communication service.'
  for (let turn = 0; turn < 3; turn++) {
    await assert.rejects(driver.send(claim, MESSAGE_FROM_STANDING, signal), {
      kind: 'unauthorized',
      message,
    })
  }
  assert.equal(sends(emulator), 2)
  assert.deepEqual(tools.told, [`The account bench needs a hand. ${message}`])
  assert.equal((await driver.verifyDomain(claim, signal)).is, 'verified')
  await atService(emulator, 'PATCH', '', { properties: { disableLocalAuth: false } })
  bench.pass(3_600_000)
  await driver.send(claim, MESSAGE_FROM_STANDING, signal)
})

test('a subscription that is blocked sends nothing, says so, and goes on with the rest', async ({
  signal,
}) => {
  await using bench = await disposable()
  const { driver, tools, emulator } = bench
  const claim = newClaim()
  await activate(bench, claim, signal)
  emulator.blockSending()
  const message = 'Azure has blocked the whole subscription from sending.'
  for (let turn = 0; turn < 2; turn++) {
    await assert.rejects(driver.send(claim, MESSAGE_FROM_STANDING, signal), {
      kind: 'forbidden',
      message,
    })
  }
  assert.deepEqual(tools.told, [`The account bench needs a hand. ${message}`])
  assert.equal((await driver.verifyDomain(claim, signal)).is, 'verified')
  emulator.unblockSending()
  await driver.send(claim, MESSAGE_FROM_STANDING, signal)
})

for (const notLinkedStatus of [403, 404] as const) {
  test(`a domain that is not linked is known by the code, with ${notLinkedStatus} too`, async ({
    signal,
  }) => {
    await using bench = await disposable({ notLinkedStatus })
    const { driver, tools, emulator } = bench
    const claim = newClaim()
    await activate(bench, claim, signal)
    await unlinkAll(emulator)
    await assert.rejects(driver.send(claim, MESSAGE_FROM_STANDING, signal), {
      kind: 'unavailable',
      message: 'Azure says that the domain is not linked; it is linked again.',
    })
    await driver.verifyDomain(claim, signal)
    await driver.send(claim, MESSAGE_FROM_STANDING, signal)
    assert.deepEqual(tools.told, [])
  })
}

test('a page instead of an answer to a message is no refusal of it', async ({ signal }) => {
  const claim = newClaim()
  await activate(shared, claim, signal)
  for (const kind of ['html', 'html_404', 'empty_404', 'other_404'] as const) {
    shared.emulator.faults.add({ kind, about: 'emails:send' })
    await assert.rejects(shared.driver.send(claim, MESSAGE_FROM_STANDING, signal), {
      kind: 'unavailable',
    })
  }
})
