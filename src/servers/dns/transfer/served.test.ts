import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { toWireRRset } from '#dns/rdata.ts'
import { nameOfType } from '#dns/types.ts'
import { encodeWaiting, encodeZone, lowercaseWire } from '../store/encode.ts'
import { ZoneStore } from '../store/store.ts'
import type { ServedZone } from '../zone.ts'
import { serialOf } from './serial.ts'
import { ServedZones } from './served.ts'

const NAMESERVERS = ['ns1.pool.test.', 'ns2.pool.test.']
const zone = (apex: string, more: Partial<ServedZone> = {}): ServedZone => ({
  apex,
  nameservers: NAMESERVERS,
  serial: 7,
  memberId: `id of ${apex}`,
  rrsets: [],
  ...more,
})

function served(...zones: readonly ServedZone[]) {
  const store = new ZoneStore()
  const source = new ServedZones(store)
  const put = (each: ServedZone) => {
    store.put(encodeZone(each).blob)
    source.setMember(each.apex, each.memberId)
  }
  for (const each of zones) put(each)
  return { store, source, put }
}

/** Each record as its owner, type, TTL and octets. */
function recordsOf(source: ServedZones, apex: string): string[] | undefined {
  const found = source.zone(apex)
  return found && [found.soa, ...found.rrsets()].flatMap(linesOf)
}

type Linear = ReturnType<typeof toWireRRset>
const linesOf = ({
  name,
  type,
  ttl,
  records,
}: Pick<Linear, 'name' | 'type' | 'ttl'> & {
  records: readonly { octets: Buffer }[]
}): string[] =>
  records.map(({ octets }) => `${name} ${ttl} ${nameOfType(type)} ${octets.toString('hex')}`)

const DKIM = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .publicKey.export({ type: 'spki', format: 'der' })
  .toString('base64')

test('a zone is given whole: the apex, what is packed, wildcards, cuts, DS and glue', () => {
  const rrsets: ServedZone['rrsets'] = [
    { name: 'acme.test.', type: 'MX', ttl: 60, data: ['10 mx.acme.test.', '20 mx2.acme.test.'] },
    { name: 's._domainkey.acme.test.', type: 'TXT', ttl: 60, data: [`v=DKIM1; p=${DKIM}`] },
    { name: '*.acme.test.', type: 'A', ttl: 2 ** 31 - 1, data: ['192.0.2.1'] },
    { name: 'odd\\.\\000.acme.test.', type: 'TXT', ttl: 0, data: ['x'.repeat(300)] },
    { name: 'sub.acme.test.', type: 'NS', ttl: 300, data: ['ns.sub.acme.test.'] },
    { name: 'ns.sub.acme.test.', type: 'AAAA', ttl: 300, data: ['2001:db8::1'] },
    { name: 'a.b.c.acme.test.', type: 'TYPE65280', ttl: 60, data: ['\\# 2 0102'] },
  ]
  const ds = [{ name: 'sub.acme.test.', data: [`1 13 2 ${'ab'.repeat(32)}`] }]
  const { source } = served(zone('acme.test.', { rrsets, ds }))
  const [soa, ...rest] = recordsOf(source, 'acme.test.')!
  const expected = [
    { name: 'acme.test.', type: 'NS' as const, ttl: 3600, data: NAMESERVERS },
    ...rrsets,
    { ...ds[0]!, type: 'DS' as const, ttl: 300 },
  ]
  assert.deepEqual(
    rest.toSorted(),
    expected.flatMap((rrset) => linesOf(toWireRRset(rrset))).toSorted(),
  )
  const text = 'ns1.pool.test. hostmaster.acme.test. 7 14400 3600 1209600 60'
  const whole = toWireRRset({ name: 'acme.test.', type: 'SOA', ttl: 60, data: [text] })
  assert.deepEqual([soa], linesOf(whole))
})

test('the root is a zone as others are', () => {
  const { source } = served(zone('.'))
  assert.equal(recordsOf(source, '.')?.length, 3)
})

const child = (more: Partial<ServedZone> = {}) => zone('mail.acme.test.', more)
const delegating = zone('acme.test.', {
  rrsets: [{ name: 'mail.acme.test.', type: 'NS', ttl: 60, data: NAMESERVERS }],
})
const GIVEN: [sentence: string, zones: ServedZone[], apex: string, isGiven: boolean][] = [
  ['a zone', [zone('acme.test.')], 'acme.test.', true],
  ['a name in it', [zone('acme.test.')], 'www.acme.test.', false],
  [
    'one without a label',
    [zone('acme.test.', { memberId: undefined as never })],
    'acme.test.',
    false,
  ],
  ['one that another shadows', [zone('acme.test.'), child()], 'mail.acme.test.', false],
  ['one that another delegates to', [delegating, child()], 'mail.acme.test.', true],
  [
    'one below a claim',
    [zone('acme.test.', { isUnconfirmed: true }), child()],
    'mail.acme.test.',
    true,
  ],
  [
    'a claim below it',
    [zone('acme.test.'), child({ isUnconfirmed: true })],
    'mail.acme.test.',
    false,
  ],
]

for (const [sentence, zones, apex, isGiven] of GIVEN) {
  test(`${sentence} is ${isGiven ? '' : 'not '}given`, () => {
    assert.equal(served(...zones).source.zone(apex) !== undefined, isGiven)
  })
}

for (const texts of [1, 2000]) {
  test(`what was given stays as it was, at ${texts} texts`, () => {
    const rrsets = (text: string) =>
      Array.from({ length: texts }, (_, i) => {
        return { name: `t${i}.acme.test.`, type: 'TXT' as const, ttl: 60, data: [text.repeat(50)] }
      })
    const { store, source, put } = served(zone('acme.test.', { rrsets: rrsets('a') }))
    const former = source.zone('acme.test.')!
    const before = [...former.rrsets()].flatMap(linesOf)
    put(zone('acme.test.', { serial: 8, rrsets: rrsets('b') }))
    assert.equal(serialOf(source.zone('acme.test.')!.soa.records[0]!.octets), 8)
    store.put(encodeWaiting('acme.test.'))
    assert.equal(source.zone('acme.test.'), undefined)
    put(zone('other.test.', { rrsets: [] }))
    store.delete(lowercaseWire('acme.test.'))
    assert.deepEqual([...former.rrsets()].flatMap(linesOf), before)
    assert.equal(serialOf(former.soa.records[0]!.octets), 7)
  })
}

test('transfers of one version of a large zone share one copy', () => {
  const data = ['x'.repeat(60_000)]
  const rrsets = ['a', 'b'].map((label) => {
    return { name: `${label}.acme.test.`, type: 'TXT' as const, ttl: 60, data }
  })
  const { source, put } = served(zone('acme.test.', { rrsets }))
  const first = source.zone('acme.test.')
  assert.equal(source.zone('acme.test.'), first)
  put(zone('acme.test.', { rrsets, serial: 8 }))
  assert.notEqual(source.zone('acme.test.'), first)
})
