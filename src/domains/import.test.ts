import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Rr } from '#resolver/reply.ts'
import { furtherQuestions, importedFrom, leftOutOf, questionsAbout } from './import.ts'

const DIGEST = 'ab'.repeat(32)
const NONEXISTENT = 'f00d.acme.test'
const rr = (name: string, type: string, data: string, ttl = 300): Rr => ({ name, type, ttl, data })

// biome-ignore format: a table
const IMPORTS: [what: string, found: Rr[], records: string[]][] = [
  ['what stands in the zone',              [rr('www.acme.test', 'A', '192.0.2.1')],               ['www.acme.test. A 192.0.2.1 300']],
  ['types by their number',                [rr('acme.test', 'TYPE65280', '\\# 1 00')],             ['acme.test. TYPE65280 \\# 1 00 300']],
  ['a delegation and its DS',              [rr('sub.acme.test', 'NS', 'ns.other.test.'), rr('sub.acme.test', 'DS', `1 13 2 ${DIGEST}`)], ['sub.acme.test. NS ns.other.test. 300', `sub.acme.test. DS 1 13 2 ${DIGEST} 300`]],
  ['names with odd octets',                [rr('a\\000b.acme.test', 'A', '192.0.2.1'), rr('a\\.b.acme.test', 'A', '192.0.2.1')], ['a\\000b.acme.test. A 192.0.2.1 300', 'a\\.b.acme.test. A 192.0.2.1 300']],
  ['nothing whose last label only looks inside', [rr('x\\.acme.test', 'A', '192.0.2.1')],          []],
  ['the wildcard, by whom nobody is',      [rr(NONEXISTENT, 'A', '192.0.2.9')],                      ['*.acme.test. A 192.0.2.9 300']],
  ['and not what it gives others',         [rr(NONEXISTENT, 'A', '192.0.2.9'), rr('www.acme.test', 'A', '192.0.2.9')], ['*.acme.test. A 192.0.2.9 300']],
  ['with a TTL that is neither tiny nor endless', [rr('acme.test', 'A', '192.0.2.1', 1), rr('acme.test', 'AAAA', '2001:db8::1', 9_999_999)], ['acme.test. A 192.0.2.1 60', 'acme.test. AAAA 2001:db8::1 86400']],
  ['the same once',                        [rr('acme.test', 'A', '192.0.2.1'), rr('acme.test', 'A', '192.0.2.1')], ['acme.test. A 192.0.2.1 300']],
  ['nothing that lies outside',            [rr('ns1.other.test', 'A', '192.0.2.1'), rr('test', 'A', '192.0.2.1'), rr('notacme.test', 'A', '192.0.2.1')], []],
  ['no DS of its own, which is its parent\'s', [rr('acme.test', 'DS', '1 13 2 abcd')],            []],
  ['no type that no zone here holds',      [rr('acme.test', 'DNAME', 'other.test.')],             []],
]

for (const [what, found, records] of IMPORTS) {
  test(`imported: ${what}`, () => {
    const imported = importedFrom('acme.test', NONEXISTENT, found)
    assert.deepEqual(
      imported.map(({ name, type, value, ttl }) => `${name} ${type} ${value} ${ttl}`),
      records,
    )
  })
}

test('what is of a type that no zone here holds is told, but for what the former host signed with', () => {
  const found = [
    rr('acme.test', 'A', '192.0.2.1'),
    rr('acme.test', 'HTTPS', '1 . alpn="h2"'),
    rr('old.acme.test', 'DNAME', 'new.test.'),
    rr('old.acme.test', 'DNAME', 'newer.test.'),
    rr('acme.test', 'RRSIG', 'A 13 2 300'),
    rr('acme.test', 'DNSKEY', '257 3 13 abcd'),
    rr('other.test', 'DNAME', 'new.test.'),
  ]
  assert.deepEqual(leftOutOf('acme.test', found), ['DNAME of old.acme.test'])
})

test('names of the zone that its records speak of are asked for as well', () => {
  const found = [
    rr('acme.test', 'MX', '10 mx7.acme.test.'),
    rr('acme.test', 'MX', '20 mx.elsewhere.test.'),
    rr(
      'acme.test',
      'TXT',
      'v=spf1 a:out.acme.test include:_spf.acme.test include:%{i}.acme.test mx:bad..acme.test -all',
    ),
    rr('acme.test', 'TXT', 'a:not-a-policy.acme.test'),
    rr('_sip._tls.acme.test', 'SRV', '0 0 443 pbx.acme.test.'),
    rr('shop.acme.test', 'CNAME', 'web5.acme.test.'),
  ]
  const names = furtherQuestions('acme.test', found).map(({ name }) => name)
  assert.deepEqual(
    [...new Set(names)],
    ['mx7', 'out', '_spf', 'pbx', 'web5'].map((label) => `${label}.acme.test`),
  )
})

test('the questions about a name fit into a survey, and one asks for a name that does not exist', () => {
  const { questions, nonexistentName } = questionsAbout('acme.test')
  assert.ok(questions.length <= 250)
  assert.ok(questions.some(({ name, type }) => name === nonexistentName && type === 'A'))
})
