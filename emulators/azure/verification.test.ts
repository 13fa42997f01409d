import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Bench, NEEDED, openBench, provision, publish, register, verify } from './bench.ts'

const D = 'emailServices/es/domains/a.example'
const DKIM = 'selector1-azurecomm-prod-net._domainkey.a.example CNAME'

/** A domain whose records are in the DNS. */
async function published(options: Parameters<typeof openBench>[0] = {}): Promise<Bench> {
  const bench = await openBench(options)
  await provision(bench)
  publish(bench, await register(bench, 'a.example'))
  return bench
}

async function states(bench: Bench) {
  const { json } = await bench.call('GET', D)
  return json.properties!.verificationStates as unknown as Record<string, { status: string }>
}

const initiate = (bench: Bench, verificationType: string) =>
  bench.call('POST', `${D}/initiateVerification`, { verificationType })

const cancel = (bench: Bench, verificationType: string) =>
  bench.call('POST', `${D}/cancelVerification`, { verificationType })

describe('verification', () => {
  test('has not started before it is initiated, and ends at the next look', async () => {
    await using bench = await published()
    const before = await states(bench)
    assert.deepEqual(Object.keys(before), ['Domain', 'SPF', 'DKIM', 'DKIM2', 'DMARC'])
    for (const { status } of Object.values(before)) assert.equal(status, 'NotStarted')
    const after = await verify(bench, 'a.example')
    for (const type of NEEDED) assert.deepEqual(after[type], { status: 'Verified' }, type)
    assert.equal(after.DMARC?.status, 'NotStarted')
  })

  test('takes DMARC too', async () => {
    await using bench = await published()
    assert.equal((await verify(bench, 'a.example', ['DMARC'])).DMARC?.status, 'VerificationFailed')
    bench.dns.records!.set('_dmarc.a.example TXT', ['v=DMARC1; p=none'])
    assert.equal((await verify(bench, 'a.example', ['DMARC'])).DMARC?.status, 'Verified')
  })

  const spf = (...policies: string[]) => ['a.example TXT', policies] as const
  const INCLUDE = 'include:spf.protection.outlook.com'
  const SPF: [name: string, policies: string[], status: string][] = [
    ['its own policy', [`v=spf1 ${INCLUDE} -all`], 'Verified'],
    ['a merged policy', [`v=spf1 mx ${INCLUDE} ip4:192.0.2.1 -all`], 'Verified'],
    ['other texts beside it', ['hello', `v=spf1 ${INCLUDE} -all`], 'Verified'],
    ['a softfail', [`v=spf1 ${INCLUDE} ~all`], 'VerificationFailed'],
    ['no all', [`v=spf1 ${INCLUDE}`], 'VerificationFailed'],
    ['something after all', [`v=spf1 ${INCLUDE} -all exp=x.example`], 'VerificationFailed'],
    ['no include', ['v=spf1 mx -all'], 'VerificationFailed'],
    ['an include of a longer name', [`v=spf1 ${INCLUDE}.example -all`], 'VerificationFailed'],
    ['two policies', [`v=spf1 ${INCLUDE} -all`, 'v=spf1 -all'], 'VerificationFailed'],
    ['no policy', [], 'VerificationFailed'],
  ]
  for (const [name, policies, status] of SPF) {
    test(`of SPF with ${name} is ${status}`, async () => {
      await using bench = await published()
      bench.dns.records!.set(...spf(...policies))
      const { SPF } = await verify(bench, 'a.example', ['SPF'])
      assert.equal(SPF?.status, status)
      assert.equal(typeof SPF?.errorCode, status === 'Verified' ? 'undefined' : 'string')
    })
  }

  const BROKEN: [name: string, type: string, key: string, data: string[]][] = [
    ['no token', 'Domain', 'a.example TXT', []],
    ['another token', 'Domain', 'a.example TXT', ['ms-domain-verification=0']],
    ['no alias', 'DKIM', DKIM, []],
    ['another alias', 'DKIM', DKIM, ['selector1-azurecomm-prod-net._domainkey.other.net']],
    ['the alias of the first', 'DKIM2', DKIM.replace('1', '2'), ['selector1.azurecomm.net']],
  ]
  for (const [name, type, key, data] of BROKEN) {
    test(`of ${type} with ${name} fails, and can be initiated again`, async () => {
      await using bench = await published()
      const right = bench.dns.records!.get(key)!
      bench.dns.records!.set(key, data)
      const failed = (await verify(bench, 'a.example', [type]))[type]
      assert.equal(failed?.status, 'VerificationFailed')
      assert.equal(typeof failed?.errorCode, 'string')
      bench.dns.records!.set(key, right)
      assert.deepEqual((await verify(bench, 'a.example', [type]))[type], { status: 'Verified' })
    })
  }

  test('stays in progress while nobody answers for the name', async () => {
    await using bench = await published()
    const { records } = bench.dns
    bench.dns.records = undefined
    const asked = await verify(bench, 'a.example')
    for (const type of NEEDED) assert.equal(asked[type]?.status, 'VerificationInProgress')
    bench.dns.records = records
    assert.equal((await states(bench)).SPF?.status, 'Verified')
  })

  test('takes its time, and cannot be initiated again meanwhile or once it is done', async () => {
    let now = Date.now()
    await using bench = await published({ verificationMs: 1000, now: () => now })
    const begun = await verify(bench, 'a.example', ['SPF'])
    assert.equal(begun.SPF?.status, 'VerificationInProgress')
    assert.equal((await initiate(bench, 'SPF')).status, 409)
    now += 1000
    assert.equal((await states(bench)).SPF?.status, 'Verified')
    assert.equal((await initiate(bench, 'SPF')).status, 409)
  })

  test('can be cancelled while it goes on', async () => {
    await using bench = await published({ verificationMs: 60_000 })
    await verify(bench, 'a.example', ['SPF'])
    assert.equal((await cancel(bench, 'SPF')).status, 202)
    assert.equal((await states(bench)).SPF?.status, 'NotStarted')
  })

  for (const as of ['VerificationInProgress', 'NotStarted'] as const) {
    test(`hangs as ${as} when told to, until it is cancelled and initiated again`, async () => {
      await using bench = await published()
      bench.azure.stick('a.example', 'SPF', { as, times: 2 })
      assert.equal((await verify(bench, 'a.example', ['SPF'])).SPF?.status, as)
      assert.equal((await states(bench)).SPF?.status, as)
      const isShown = as === 'VerificationInProgress'
      if (isShown) assert.equal((await initiate(bench, 'SPF')).status, 409)
      assert.equal((await cancel(bench, 'SPF')).status, isShown ? 202 : 409)
      assert.equal((await verify(bench, 'a.example', ['SPF'])).SPF?.status, as)
      await cancel(bench, 'SPF')
      assert.equal((await verify(bench, 'a.example', ['SPF'])).SPF?.status, 'Verified')
    })
  }

  test('that hangs while it goes on needs one initiation less', async () => {
    await using bench = await published()
    assert.equal((await initiate(bench, 'DKIM')).status, 202)
    bench.azure.stick('A.example', 'DKIM')
    assert.equal((await states(bench)).DKIM?.status, 'VerificationInProgress')
    await cancel(bench, 'DKIM')
    assert.equal((await verify(bench, 'a.example', ['DKIM'])).DKIM?.status, 'Verified')
  })

  test('is not possible while the domain is being created', async () => {
    await using bench = await openBench()
    await provision(bench)
    await bench.call('PUT', D, {
      location: 'global',
      properties: { domainManagement: 'CustomerManaged' },
    })
    assert.equal((await initiate(bench, 'Domain')).status, 409)
  })
})

test('names of records come relative, absolute, and as @', async () => {
  await using bench = await openBench()
  await provision(bench)
  const seen = new Set<string>()
  for (const name of ['a.example', 'b.a.example', 'c.example']) {
    const { verificationRecords } = await register(bench, name)
    for (const { name: written } of Object.values(verificationRecords!)) {
      seen.add(written!.replace(name, 'D'))
    }
  }
  for (const form of ['@', 'D', 'D.', 'selector1-azurecomm-prod-net._domainkey']) {
    assert.ok(seen.has(form), `${form} in ${[...seen]}`)
  }
})
