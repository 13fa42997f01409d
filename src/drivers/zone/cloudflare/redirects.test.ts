import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, test } from 'node:test'
import { cloudflareSettings } from '../../../../emulators/accounts.ts'
import { startCloudflareEmulator } from '../../../../emulators/cloudflare/emulator.ts'
import { callsTo } from '../../../../test/cloudflare.ts'
import { leadsTo } from '../../../../test/redirect.ts'
import { testTools } from '../../../../test/tools.ts'
import type { ClaimRef, RRset } from '../contract.ts'
import { cloudflare } from './driver.ts'

const emulator = await startCloudflareEmulator({ requestsPerFiveMinutes: 0 })
after(() => emulator[Symbol.asyncDispose]())
const edge = `${emulator.edge.address}:${emulator.edge.port}`

const settings = { ...cloudflareSettings(emulator), redirect_rules: true }
const tools = testTools()
const driver = cloudflare.open(cloudflare.settings.parse(settings), tools)
const rules = driver.redirects!

beforeEach(() => {
  emulator.allowRedirects()
  emulator.faults.clear()
  emulator.calls.length = 0
})

let count = 0

/** A claim with an active zone, whose name and `www` below it come to the edge. */
async function withZone(signal: AbortSignal): Promise<ClaimRef> {
  const name = `r${++count}.example`
  const claim = { claimId: randomUUID(), name, nameservers: [] }
  await driver.ensureZone(claim, signal)
  emulator.activate(name)
  const proxied = (host: string): RRset => ({
    name: `${host}.`,
    type: 'A',
    ttl: 300,
    data: [rules.address],
  })
  await driver.changeZone(
    claim,
    [name, `www.${name}`].map((host) => ({ put: proxied(host) })),
    signal,
  )
  return claim
}

const redirect = (claim: ClaimRef, targetDomain = 'new.example') => ({
  hosts: [claim.name, `www.${claim.name}`],
  targetDomain,
  statusCode: 301,
  preservePath: true,
  preserveQueryString: true,
})

const writes = () => emulator.calls.filter(({ method }) => method !== 'GET')

const call = callsTo(emulator)

const entrypoint = async ({ name }: ClaimRef) => {
  const [zone] = await call('GET', `/zones?name=${name}`)
  return `/zones/${zone.id}/rulesets/phases/http_request_dynamic_redirect/entrypoint`
}

const FOREIGN = {
  action: 'redirect',
  description: 'by hand',
  expression: '(http.host eq "shop.example")',
  action_parameters: { from_value: { target_url: { value: 'https://shop.test/' } } },
}

test('visitors are led, and led elsewhere once that is told', async ({ signal }) => {
  const claim = await withZone(signal)
  await rules.ensure(claim, redirect(claim), signal)
  assert.equal(await leadsTo(edge, claim.name, '/a?b=c'), 'https://new.example/a?b=c')
  assert.equal(await leadsTo(edge, `www.${claim.name}`), 'https://new.example/')
  const bare = { ...redirect(claim, 'other.example'), preservePath: false }
  await rules.ensure(claim, { ...bare, preserveQueryString: false }, signal)
  assert.equal(await leadsTo(edge, claim.name, '/a?b=c'), 'https://other.example/')
})

test('what is led so already is not written again', async ({ signal }) => {
  const claim = await withZone(signal)
  await rules.ensure(claim, redirect(claim), signal)
  emulator.calls.length = 0
  await rules.ensure(claim, redirect(claim), signal)
  assert.deepEqual(writes(), [])
})

test('many at once make one rule', async ({ signal }) => {
  const claim = await withZone(signal)
  const tell = () => rules.ensure(claim, redirect(claim), signal)
  await Promise.all(Array.from({ length: 5 }, tell))
  const { rules: there } = await call('GET', await entrypoint(claim))
  assert.equal(there.length, 1)
})

test('rules of others stay as they are, before ours, beside it and after', async ({ signal }) => {
  const claim = await withZone(signal)
  const path = await entrypoint(claim)
  const { rules: before } = await call('PUT', path, { rules: [FOREIGN] })
  await rules.ensure(claim, redirect(claim), signal)
  await rules.ensure(claim, redirect(claim, 'other.example'), signal)
  assert.equal(await leadsTo(edge, claim.name), 'https://other.example/')
  const { rules: beside } = await call('GET', path)
  assert.deepEqual(beside[0], before[0])
  assert.equal(beside.length, 2)
  await rules.remove(claim, signal)
  const { rules: left } = await call('GET', path)
  assert.deepEqual(left, before)
})

test('a rule of ours that somebody turned off is turned on again', async ({ signal }) => {
  const claim = await withZone(signal)
  await rules.ensure(claim, redirect(claim), signal)
  const path = await entrypoint(claim)
  const { rules: there } = await call('GET', path)
  await call('PUT', path, { rules: [{ ...there[0], enabled: false }] })
  assert.equal(await leadsTo(edge, claim.name), undefined)
  await rules.ensure(claim, redirect(claim), signal)
  assert.equal(await leadsTo(edge, claim.name), 'https://new.example/')
})

test('stopped, it leads nobody, as often as it is said, and where nobody was ever led', async ({
  signal,
}) => {
  const claim = await withZone(signal)
  await rules.remove(claim, signal)
  await rules.ensure(claim, redirect(claim), signal)
  await rules.remove(claim, signal)
  await rules.remove(claim, signal)
  assert.equal(await leadsTo(edge, claim.name), undefined)
})

test('without the zone nobody can be led, and stopping is done', async ({ signal }) => {
  const claim = { claimId: randomUUID(), name: 'none.example', nameservers: [] }
  await assert.rejects(rules.ensure(claim, redirect(claim), signal), { kind: 'rejected' })
  await rules.remove(claim, signal)
})

test('another claim can neither lead the visitors of a zone nor stop them', async ({ signal }) => {
  const claim = await withZone(signal)
  await rules.ensure(claim, redirect(claim), signal)
  const rival = { ...claim, claimId: randomUUID() }
  await assert.rejects(rules.ensure(rival, redirect(rival, 'evil.example'), signal))
  await rules.remove(rival, signal)
  assert.equal(await leadsTo(edge, claim.name), 'https://new.example/')
})

test('a token without the right is told of, and its account does not rest', async ({ signal }) => {
  const claim = await withZone(signal)
  emulator.forbidRedirects()
  const message = 'Cloudflare denies us the right to redirect rules.'
  await assert.rejects(rules.ensure(claim, redirect(claim), signal), { kind: 'rejected', message })
  await assert.rejects(rules.remove(claim, signal), { kind: 'rejected', message })
  assert.ok(await driver.readZone(claim, signal))
  assert.deepEqual(tools.told, [])
})

for (const kind of ['lost_after', 'broken_after', 'half', 'broken'] as const) {
  test(`an answer that is ${kind} costs nothing but another try`, async ({ signal }) => {
    const claim = await withZone(signal)
    emulator.faults.add({ kind, method: 'PUT', about: claim.name })
    await assert.rejects(rules.ensure(claim, redirect(claim), signal), { kind: 'unavailable' })
    await rules.ensure(claim, redirect(claim), signal)
    const { rules: there } = await call('GET', await entrypoint(claim))
    assert.equal(there.length, 1)
    assert.equal(await leadsTo(edge, claim.name), 'https://new.example/')
  })
}

test('a record of a redirect that somebody made unproxied is made proxied again', async ({
  signal,
}) => {
  const claim = await withZone(signal)
  const [zone] = await call('GET', `/zones?name=${claim.name}`)
  const records = `/zones/${zone.id}/dns_records`
  const [record] = await call('GET', `${records}?type=A&name=${claim.name}`)
  await call('PATCH', `${records}/${record.id}`, { proxied: false })
  const put = { name: `${claim.name}.`, type: 'A', ttl: 300, data: [rules.address] } as const
  const there = async () =>
    (await driver.readZone(claim, signal))?.find(({ name }) => name === put.name)
  assert.notDeepEqual(await there(), put)
  await driver.changeZone(claim, [{ put }], signal)
  assert.deepEqual(await there(), put)
  const [mended] = await call('GET', `${records}?type=A&name=${claim.name}`)
  assert.equal(mended.proxied, true)
})

test('a rule that is gone when it is written is a conflict, not done', async ({ signal }) => {
  const claim = await withZone(signal)
  await rules.ensure(claim, redirect(claim), signal)
  const [zone] = await call('GET', `/zones?name=${claim.name}`)
  const { id, rules: there } = await call('GET', await entrypoint(claim))
  emulator.faults.witness = async ({ method }, when) => {
    if (method !== 'PATCH' || when === 'after') return
    emulator.faults.witness = undefined
    await call('DELETE', `/zones/${zone.id}/rulesets/${id}/rules/${there[0].id}`)
  }
  await assert.rejects(rules.ensure(claim, redirect(claim, 'other.example'), signal), {
    kind: 'conflict',
    message: 'Cloudflare misses what was there a moment ago.',
  })
  await rules.ensure(claim, redirect(claim, 'other.example'), signal)
  assert.equal(await leadsTo(edge, claim.name), 'https://other.example/')
})

for (const method of ['PUT', 'POST']) {
  test(`a zone that is gone when a rule is to be made by ${method} is a conflict`, async ({
    signal,
  }) => {
    const claim = await withZone(signal)
    if (method === 'POST') await call('PUT', await entrypoint(claim), { rules: [FOREIGN] })
    const [zone] = await call('GET', `/zones?name=${claim.name}`)
    emulator.faults.witness = async (request, when) => {
      if (request.method !== method || when === 'after') return
      emulator.faults.witness = undefined
      await call('DELETE', `/zones/${zone.id}`)
    }
    await assert.rejects(rules.ensure(claim, redirect(claim), signal), { kind: 'conflict' })
  })
}

test('without the setting the host leads nobody, and nothing is proxied', async ({ signal }) => {
  const plain = cloudflare.open(
    cloudflare.settings.parse(cloudflareSettings(emulator)),
    testTools(),
  )
  assert.equal(plain.redirects, undefined)
  const claim = { claimId: randomUUID(), name: 'plain.example', nameservers: [] }
  await plain.ensureZone(claim, signal)
  const put = { name: 'plain.example.', type: 'A', ttl: 300, data: [rules.address] } as const
  await plain.changeZone(claim, [{ put }], signal)
  const [zone] = await call('GET', '/zones?name=plain.example')
  const [record] = await call('GET', `/zones/${zone.id}/dns_records?type=A`)
  assert.equal(record.proxied, false)
})
