import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { after, beforeEach, describe, test } from 'node:test'
import { type EmulatedAnswer, startEmulator } from '../../../../emulators/server.ts'
import { ask } from '../../../../test/dns.ts'
import { startPdns, withoutPdns } from '../../../../test/pdns.ts'
import { testTools } from '../../../../test/tools.ts'
import { zoneDriverConformance } from '../conformance.ts'
import type { ClaimRef, RRset } from '../contract.ts'
import { powerdns } from './driver.ts'
import { excuses } from './excuses.ts'

const PAIR = ['ada.ns.example.net', 'kit.ns.example.net']
const claimOn = (name: string, nameservers = PAIR): ClaimRef => ({
  claimId: randomUUID(),
  name,
  nameservers,
})

describe('PowerDNS', { skip: withoutPdns ?? false }, async () => {
  if (withoutPdns) return
  const pdns = await startPdns()
  after(() => pdns[Symbol.asyncDispose]())
  const settings = {
    url: pdns.url,
    api_key: pdns.apiKey,
    nameserver_zone: 'ns.example.net',
    nameserver_addresses: ['127.0.0.1'],
  }
  const driverWith = (more: object = {}) =>
    powerdns.open(powerdns.settings.parse({ ...settings, ...more }), testTools())
  const driver = driverWith()
  const server = `${pdns.dns.address}:${pdns.dns.port}`
  let count = 0

  zoneDriverConformance(
    'powerdns',
    async () => {
      const name = `conformance${++count}.example`
      return {
        driver,
        claim: claimOn(name),
        rival: claimOn(name, ['bob.ns.example.net', 'kit.ns.example.net']),
        ask: (at, type) => ask(server, at, type),
        async [Symbol.asyncDispose]() {},
      }
    },
    excuses,
  )

  const serialOf = async (name: string) =>
    ((await ask(server, name, 'SOA')).answers[0]!.data as { serial: number }).serial

  test('the same put twice raises the serial once', async ({ signal }) => {
    const claim = claimOn('serial.example')
    await driver.ensureZone(claim, signal)
    const before = await serialOf(claim.name)
    await driver.changeZone(claim, [{ put: txt('serial.example.', 'x') }], signal)
    const after = await serialOf(claim.name)
    assert.ok(after > before)
    await driver.changeZone(claim, [{ put: txt('serial.example.', 'x') }], signal)
    assert.equal(await serialOf(claim.name), after)
  })

  test('the NS rrset is the claim’s pair, and mended when somebody changed it', async ({
    signal,
  }) => {
    const claim = claimOn('mended.example')
    await driver.ensureZone({ ...claim, nameservers: ['x.example.net', 'y.example.net'] }, signal)
    await driver.ensureZone(claim, signal)
    const shown = (await ask(server, claim.name, 'NS')).answers.map(({ data }) => data)
    assert.deepEqual(shown.toSorted(), PAIR)
  })

  test('the keys of Encrypted ClientHello are held, with and without padding', async ({
    signal,
  }) => {
    const claim = claimOn('hello.example')
    await driver.ensureZone(claim, signal)
    const data = ['1 . alpn=h2,h3 port=443 ech=AA==', '2 . ech=AAEC']
    for (const type of ['SVCB', 'HTTPS'] as const) {
      const rrset: RRset = { name: `${type.toLowerCase()}.hello.example.`, type, ttl: 300, data }
      assert.equal(driver.objectionTo(rrset), undefined)
      await driver.changeZone(claim, [{ put: rrset }], signal)
    }
    const held = (await driver.readZone(claim, signal))!.map((found) => found.data.toSorted())
    assert.deepEqual(held, [
      ['1 . alpn=h2,h3 port=443 ech=AA==', '2 . ech=AAEC'],
      ['1 . alpn=h2,h3 port=443 ech=AA==', '2 . ech=AAEC'],
    ])
  })

  test('of one good and one bad rrset none is taken, and the refusal says why', async ({
    signal,
  }) => {
    const claim = claimOn('atomic.example')
    await driver.ensureZone(claim, signal)
    const bad: RRset = { name: 'a.other.example.', type: 'A', ttl: 300, data: ['192.0.2.1'] }
    await assert.rejects(
      driver.changeZone(claim, [{ put: txt('atomic.example.', 'x') }, { put: bad }], signal),
      { name: 'DriverError', kind: 'rejected', message: /PowerDNS refuses: .*out of zone/ },
    )
    assert.deepEqual(await driver.readZone(claim, signal), [])
  })

  test('a wrong key is refused once, and then not tried again', async ({ signal }) => {
    const stranger = driverWith({ api_key: 'wrong' })
    const refusal = {
      name: 'DriverError',
      kind: 'unauthorized',
      message: 'PowerDNS refuses our credentials.',
    }
    for (let turn = 0; turn < 3; turn++) {
      await assert.rejects(stranger.ensureZone(claimOn('wrong.example'), signal), refusal)
    }
  })

  // Before the real server stands what can go wrong on the way to it.
  const proxy = await startEmulator({
    refusal: (status) => ({ status, json: { error: 'an injected fault' } }),
    handle: ({ method, target, headers, body }) =>
      forwarded(pdns.url, method, target, headers, body),
  })
  after(() => proxy[Symbol.asyncDispose]())
  const behindProxy = () => driverWith({ url: proxy.url })
  beforeEach(() => proxy.faults.clear())

  for (const [kind, error, message] of NONSENSE) {
    test(`an answer that is ${kind} is ${error}, and no "no"`, async ({ signal }) => {
      const claim = claimOn(`${kind.replace('_', '-')}.example`)
      const shaken = behindProxy()
      await shaken.ensureZone(claim, signal)
      proxy.faults.add({ kind, method: 'GET' })
      await assert.rejects(shaken.readZone(claim, signal), {
        name: 'DriverError',
        kind: error,
        message,
      })
      if (error === 'unauthorized') return
      assert.deepEqual(await shaken.readZone(claim, signal), [])
    })
  }

  for (const kind of ['html_404', 'empty_404', 'other_404'] as const) {
    test(`a proxy's ${kind} is not taken for a zone that is gone`, async ({ signal }) => {
      const claim = claimOn(`gone-${kind.replace('_', '-')}.example`)
      await driver.ensureZone(claim, signal)
      for (const method of ['GET', 'DELETE']) {
        proxy.faults.add({ kind, method })
        await assert.rejects(behindProxy().removeZone(claim, signal), { kind: 'unavailable' })
      }
      assert.ok((await pdns.zones()).includes(`${claim.name}.`))
    })
  }

  for (const kind of ['lost_after', 'broken_after', 'half', 'lost', 'broken'] as const) {
    test(`a write whose answer is ${kind} costs nothing but another try`, async ({ signal }) => {
      const claim = claimOn(`write-${kind.replace('_', '-')}.example`)
      const shaken = behindProxy()
      proxy.faults.add({ kind, method: 'POST' })
      await assert.rejects(shaken.ensureZone(claim, signal), { kind: 'unavailable' })
      await shaken.ensureZone(claim, signal)
      const put = txt(`${claim.name}.`, 'x')
      proxy.faults.add({ kind, method: 'PATCH' })
      const changed = shaken.changeZone(claim, [{ put }], signal)
      // To a change PowerDNS answers nothing, and half of nothing is the whole.
      if (kind === 'half') await changed
      else await assert.rejects(changed, { kind: 'unavailable' })
      await shaken.changeZone(claim, [{ put }], signal)
      assert.deepEqual(await shaken.readZone(claim, signal), [put])
      proxy.faults.add({ kind, method: 'DELETE' })
      await shaken.removeZone(claim, signal).catch(() => undefined)
      await shaken.removeZone(claim, signal)
      assert.ok(!(await pdns.zones()).includes(`${claim.name}.`))
    })
  }

  test("another zone's data is not acted upon", async ({ signal }) => {
    const claim = claimOn('mine.example')
    const shaken = behindProxy()
    await shaken.ensureZone(claim, signal)
    proxy.faults.forger = (answer) => ({
      ...answer,
      json: { ...Object(answer.json), name: 'another.example.' },
    })
    const trouble = { kind: 'unavailable', message: 'PowerDNS answered with another zone.' }
    await assert.rejects(shaken.readZone(claim, signal), trouble)
    await assert.rejects(shaken.removeZone(claim, signal), trouble)
    assert.ok((await pdns.zones()).includes('mine.example.'))
  })

  test('a conflict that is not in the words of PowerDNS is no zone that is there', async ({
    signal,
  }) => {
    proxy.faults.forger = (answer, { method }) => (method === 'POST' ? { status: 409 } : answer)
    await assert.rejects(behindProxy().ensureZone(claimOn('odd.example'), signal), {
      kind: 'unavailable',
      message: 'PowerDNS answered 409 with nothing.',
    })
  })

  test('a server that does not exist is out of order, not empty', async ({ signal }) => {
    const nowhere = driverWith({ url: 'http://127.0.0.1:9' })
    const trouble = { name: 'DriverError', kind: 'unavailable' }
    await assert.rejects(nowhere.readZone(claimOn('nowhere.example'), signal), trouble)
    await assert.rejects(nowhere.removeZone(claimOn('nowhere.example'), signal), trouble)
  })
})

const txt = (name: string, ...data: string[]): RRset => ({ name, type: 'TXT', ttl: 300, data })

/** The real server's answer, through the proxy. */
async function forwarded(
  url: string,
  method: string,
  target: string,
  headers: IncomingHttpHeaders,
  body: string,
): Promise<EmulatedAnswer> {
  const answer = await fetch(`${url}${target}`, {
    method,
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      'x-api-key': String(headers['x-api-key']),
    },
    body: body === '' ? null : body,
  })
  const text = await answer.text()
  return text === '' ? { status: answer.status } : { status: answer.status, json: JSON.parse(text) }
}

// biome-ignore format: a table
const NONSENSE = [
  ['html',             'unavailable',  'PowerDNS answered with something that is not JSON.'],
  ['half',             'unavailable',  'PowerDNS answered with something that is not JSON.'],
  ['empty',            'unavailable',  'PowerDNS answered in a shape we do not know.'],
  ['html_404',         'unavailable',  'PowerDNS answered 404 with something that is not JSON.'],
  ['empty_404',        'unavailable',  'PowerDNS answered 404 with nothing.'],
  ['other_404',        'unavailable',  'PowerDNS answered 404 in a shape we do not know.'],
  ['broken',           'unavailable',  'PowerDNS is out of order: it answered 503.'],
  ['lost',             'unavailable',  'PowerDNS could not be reached.'],
  ['throttled',        'throttled',    'PowerDNS has had enough requests for now.'],
  ['throttled_for_1s', 'throttled',    'PowerDNS has had enough requests for now.'],
  ['unauthorized',     'unauthorized', 'PowerDNS refuses our credentials.'],
  ['forbidden',        'forbidden',    'PowerDNS denies us the right to this.'],
] as const

// biome-ignore format: a table
const SETTINGS: [settings: object, isFine: boolean][] = [
  [{ url: 'http://127.0.0.1:8081' },                    true],
  [{ url: 'http://10.0.0.7:8081' },                     true],
  [{ url: 'https://dns.example.net/' },                 true],
  [{ url: 'http://dns.example.net' },                   false],
  [{ url: 'http://9.9.9.9:8081' },                      false],
  [{ url: 'https://user:key@dns.example.net' },         false],
  [{ url: 'ftp://127.0.0.1' },                          false],
  [{ url: '' },                                         false],
  [{ url: 'http://127.0.0.1', api_key: '' },            false],
  [{ url: 'http://127.0.0.1', nameserver_addresses: [] }, false],
  [{ url: 'http://127.0.0.1', nameserver_addresses: ['ns1'] }, false],
  [{ url: 'http://127.0.0.1', apikey: 'typo' },         false],
]

test('an account speaks TLS, or stays near', () => {
  const whole = {
    api_key: 'k',
    nameserver_zone: 'ns.example.net',
    nameserver_addresses: ['192.0.2.1'],
  }
  for (const [given, isFine] of SETTINGS) {
    assert.equal(
      powerdns.settings.safeParse({ ...whole, ...given }).success,
      isFine,
      JSON.stringify(given),
    )
  }
})
