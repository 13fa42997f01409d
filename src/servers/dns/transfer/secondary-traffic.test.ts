import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseTsigKey, signQuery } from '#dns/tsig.ts'
import { Remote } from '../defence/remote.ts'
import { queryOf } from '../dig.ts'
import { SecondaryTraffic } from './secondary-traffic.ts'

const KEY = parseTsigKey(`key.example:hmac-sha256:${Buffer.alloc(32, 'k').toString('base64')}`)
const traffic = new SecondaryTraffic({
  addresses: ['192.0.2.9', '2001:db8::9'],
  catalogApex: 'catalog.example.',
})
const signed = (message: Buffer) => signQuery(message, KEY, 1_800_000_000).message
const asResponse = (message: Buffer) => {
  message[2]! |= 0x80
  return message
}

function remoteOf(address: string): Remote {
  const remote = new Remote()
  remote.setText(address)
  return remote
}

const EDNS = { edns: {} }
const [LISTED, LISTED_V6, STRANGER] = ['192.0.2.9', '2001:DB8:0:0::9', '192.0.2.8']
const TABLE: [sentence: string, Buffer, from: string, expected: boolean][] = [
  ['an ordinary question', queryOf('acme.test. A'), STRANGER, false],
  ['one with EDNS', queryOf('acme.test. A', EDNS), STRANGER, false],
  ['one from a listed address', queryOf('acme.test. A'), LISTED, false],
  ['a signed question', signed(queryOf('acme.test. A')), STRANGER, true],
  ['a signed question with EDNS', signed(queryOf('acme.test. A', EDNS)), STRANGER, true],
  ['a signed response', asResponse(signed(queryOf('acme.test. A'))), STRANGER, false],
  ['AXFR of a stranger', queryOf('acme.test. AXFR'), STRANGER, false],
  ['AXFR from a listed address', queryOf('acme.test. AXFR'), LISTED, true],
  ['IXFR from a listed address', queryOf('acme.test. IXFR'), LISTED, true],
  ['AXFR from a listed IPv6 address', queryOf('acme.test. AXFR'), LISTED_V6, true],
  ['AXFR from its neighbour', queryOf('acme.test. AXFR'), '2001:db8::a', false],
  ['the catalog from a listed address', queryOf('CATALOG.example. SOA'), LISTED, true],
  ['a name within it', queryOf('a.zones.catalog.example. PTR'), LISTED, true],
  ['a name that ends like it', queryOf('xcatalog.example. SOA'), LISTED, false],
  ['the catalog for a stranger', queryOf('catalog.example. SOA'), STRANGER, false],
]

for (const [sentence, message, from, expected] of TABLE) {
  test(`${sentence}: ${expected ? 'concerns' : 'does not concern'} secondaries`, () => {
    assert.equal(traffic.includes(message, 0, message.length, remoteOf(from)), expected)
    // In the midst of other packets, whose octets are not its own.
    const batch = Buffer.concat([signed(queryOf('acme.test. AXFR')), message, Buffer.alloc(99, 1)])
    const start = batch.length - 99 - message.length
    assert.equal(traffic.includes(batch, start, start + message.length, remoteOf(from)), expected)
  })
}

test('a message cut short concerns nobody, wherever it is cut', () => {
  const whole = signed(queryOf('acme.test. AXFR'))
  for (let end = 0; end < whole.length; end++)
    assert.equal(traffic.includes(whole, 0, end, remoteOf(STRANGER)), false, String(end))
  assert.equal(traffic.includes(whole, 0, whole.length, remoteOf(STRANGER)), true)
})

test('property: the text of an address means the same address', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (address) => {
      const remote = remoteOf(address)
      const again = remoteOf(remote.text)
      assert.deepEqual([again.octets, again.length], [remote.octets, remote.length])
    }),
  )
})
