import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'
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

  test('a server that does not exist is out of order, not empty', async ({ signal }) => {
    const nowhere = driverWith({ url: 'http://127.0.0.1:9' })
    const trouble = { name: 'DriverError', kind: 'unavailable' }
    await assert.rejects(nowhere.readZone(claimOn('nowhere.example'), signal), trouble)
    await assert.rejects(nowhere.removeZone(claimOn('nowhere.example'), signal), trouble)
  })
})

const txt = (name: string, ...data: string[]): RRset => ({ name, type: 'TXT', ttl: 300, data })

// biome-ignore format: a table
const SETTINGS: [settings: object, isFine: boolean][] = [
  [{ url: 'http://127.0.0.1:8081' },                    true],
  [{ url: 'http://10.0.0.7:8081' },                     true],
  [{ url: 'https://dns.example.net/' },                 true],
  [{ url: 'http://dns.example.net' },                   false],
  [{ url: 'http://192.88.99.1:8081' },                  false],
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
