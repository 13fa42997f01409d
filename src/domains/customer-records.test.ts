import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Rr } from '#resolver/reply.ts'
import { importedFrom, leftOutOf } from './customer-records.ts'

const STRANGER = 'f00d.acme.test'
const rr = (name: string, type: string, data: string, ttl = 300): Rr => ({ name, type, ttl, data })

// biome-ignore format: a table
const IMPORTS: [what: string, found: Rr[], records: string[]][] = [
  ['what stands in the zone',              [rr('www.acme.test', 'A', '192.0.2.1')],               ['www.acme.test. A 192.0.2.1 300']],
  ['names in data become absolute',        [rr('acme.test', 'MX', '10 mx.acme.test')],            ['acme.test. MX 10 mx.acme.test. 300']],
  ['the wildcard, by whom nobody is',      [rr(STRANGER, 'A', '192.0.2.9')],                      ['*.acme.test. A 192.0.2.9 300']],
  ['and not what it gives others',         [rr(STRANGER, 'A', '192.0.2.9'), rr('www.acme.test', 'A', '192.0.2.9')], ['*.acme.test. A 192.0.2.9 300']],
  ['with a TTL that is neither tiny nor endless', [rr('acme.test', 'A', '192.0.2.1', 1), rr('acme.test', 'AAAA', '2001:db8::1', 9_999_999)], ['acme.test. A 192.0.2.1 60', 'acme.test. AAAA 2001:db8::1 86400']],
  ['the same once',                        [rr('acme.test', 'A', '192.0.2.1'), rr('acme.test', 'A', '192.0.2.1')], ['acme.test. A 192.0.2.1 300']],
  ['nothing that lies outside',            [rr('ns1.other.test', 'A', '192.0.2.1'), rr('test', 'A', '192.0.2.1'), rr('notacme.test', 'A', '192.0.2.1')], []],
  ['no name that nobody writes',           [rr('a\0b.acme.test', 'A', '192.0.2.1'), rr('a b.acme.test', 'A', '192.0.2.1')], []],
  ['no text that cannot be stored',        [rr('acme.test', 'TXT', 'a\0b')],                      []],
  ['no type that we do not hold',          [rr('acme.test', 'DS', '1 13 2 abcd')],                []],
]

for (const [what, found, records] of IMPORTS) {
  test(`imported: ${what}`, () => {
    const imported = importedFrom('acme.test', STRANGER, found)
    assert.deepEqual(
      imported.map(({ name, type, value, ttl }) => `${name} ${type} ${value} ${ttl}`),
      records,
    )
  })
}

test('what is of a type that no zone here holds is told, but for what the former host signed with', () => {
  const found = [
    rr('acme.test', 'A', '192.0.2.1'),
    rr('acme.test', 'HTTPS', '1 . alpn=h2'),
    rr('_25._tcp.mx.acme.test', 'TLSA', '3 1 1 ab'),
    rr('_25._tcp.mx.acme.test', 'TLSA', '3 1 1 cd'),
    rr('acme.test', 'RRSIG', 'A 13 2 300'),
    rr('acme.test', 'DNSKEY', '257 3 13 abcd'),
    rr('other.test', 'TLSA', '3 1 1 ab'),
  ]
  assert.deepEqual(leftOutOf('acme.test', found), [
    'HTTPS of acme.test',
    'TLSA of _25._tcp.mx.acme.test',
  ])
})
