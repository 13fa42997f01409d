import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  absolute,
  ancestorsOf,
  isSpecialUse,
  isWithin,
  type NameRules,
  parseDomainName,
  refusalIn,
  relative,
} from './domain-name.ts'

/** The lines of a corpus; each cell is written as JSON writes the inside of a string. */
function corpus(name: string): string[][] {
  const text = readFileSync(new URL(`../../test/corpora/${name}.txt`, import.meta.url), 'utf8')
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('# '))
  return lines.map((line) => line.split('\t').map((cell) => JSON.parse(`"${cell}"`)))
}

const VALID = corpus('names-valid')
const INVALID = corpus('names-invalid')

test('every valid name of the corpus is taken, in A-labels and lower case', () => {
  for (const [written, name = written] of VALID)
    assert.deepEqual(parseDomainName(written!), { name }, written)
})

test('what became of a name stays as it is', () => {
  for (const [written, name = written!] of VALID)
    assert.deepEqual(parseDomainName(name), { name }, written)
})

test('every invalid name of the corpus is refused, with a sentence', () => {
  for (const [written] of INVALID) {
    const parsed = parseDomainName(written!)
    assert.ok('refusal' in parsed, `${JSON.stringify(written)} became ${JSON.stringify(parsed)}`)
    assert.match(parsed.refusal.type, /^value_error\.(domain|any_str\.m(in|ax)_length)$/)
    assert.match(parsed.refusal.message, /^[A-Z].*\.$/)
  }
})

test('the corpus has more of what is wrong than of what is right', () => {
  assert.ok(VALID.length >= 70 && INVALID.length > VALID.length)
})

const MIN = 'value_error.any_str.min_length'
const MAX = 'value_error.any_str.max_length'
const BAD = 'value_error.domain'
const L63 = 'a'.repeat(63)

// biome-ignore format: a table
const REFUSALS: [written: string, type: string, message: RegExp][] = [
  ['',                                        MIN, /empty/],
  [' \t\r\n',                                 MIN, /empty/],
  ['.',                                       BAD, /not a host name/],
  [`${L63}.${L63}.${L63}.${'b'.repeat(62)}`,  MAX, /longer than 253 octets/],
  [`${'a.'.repeat(200)}com.`,                 MAX, /longer than 253 octets/],
  [Array(6).fill('ü'.repeat(40)).join('.'),   MAX, /longer than 253 octets/],
  [`${L63}.${L63}.${L63}.${'b'.repeat(40)}`,  MAX, /no room for the names of its mail records/],
  [`${L63}a.com`,                             BAD, /label .* longer than 63 octets/],
  [`${'ü'.repeat(60)}.de`,                    BAD, /label .* longer than 63 octets/],
  ['127.0.0.1',                               BAD, /IP address/],
  ['127.0.0.1.',                              BAD, /IP address/],
  ['[2001:DB8::1]',                           BAD, /IP address/],
  ['localhost',                               BAD, /single label/],
  ['COM.',                                    BAD, /single label/],
  ['co.uk',                                   BAD, /public suffix/],
  ['github.io',                               BAD, /public suffix/],
  ['公司.cn',                                 BAD, /public suffix/],
  ['kim@acme.com',                            BAD, /not a host name/],
  ['acme.com.1',                              BAD, /not a host name/],
]

test('a refusal says what is wrong, in the wire’s vocabulary', () => {
  for (const [written, type, message] of REFUSALS) {
    const parsed = parseDomainName(written)
    assert.ok('refusal' in parsed, written)
    assert.equal(parsed.refusal.type, type, written)
    assert.match(parsed.refusal.message, message, written)
  }
})

// biome-ignore format: a table
const SPECIAL: [name: string, expected: boolean][] = [
  ['localhost',                 true],
  ['a.localhost',               true],
  ['printer.local',             true],
  ['1.0.0.127.in-addr.arpa',    true],
  ['home.arpa',                 true],
  ['acme.invalid',              true],
  ['acme.onion',                true],
  ['acme.test',                 true],
  ['acme.example',              true],
  ['example.com',               true],
  ['www.example.net',           true],
  ['a.b.example.org',           true],
  ['acme.internal',             true],
  ['acme.alt',                  true],
  ['acme.com',                  false],
  ['test.com',                  false],
  ['example.co',                false],
  ['myexample.com',             false],
  ['example.com.de',            false],
  ['acme.mytest',               false],
  ['acme.locale',               false],
  ['arpa.com',                  false],
  ['local.acme.com',            false],
]

test('special-use names are known by their labels, not by their letters', () => {
  for (const [name, expected] of SPECIAL) assert.equal(isSpecialUse(name), expected, name)
})

const LIVE: NameRules = {
  sandbox: false,
  laboratory: false,
  platform: ['ns.mailstead.net', 'mx.mailstead.net'],
}
const LABORATORY: NameRules = { ...LIVE, laboratory: true }
const SANDBOX: NameRules = { ...LIVE, sandbox: true, platform: ['ns.mailstead.test', 'inbox.test'] }

// biome-ignore format: a table
const IN_A_WORLD: [world: NameRules, name: string, refusal: RegExp | undefined][] = [
  [LIVE,       'acme.com',              undefined],
  [LIVE,       'other.net',             undefined],
  [LIVE,       'mailstead.com',         undefined],
  [LIVE,       'web.mailstead.net',     undefined],
  [LIVE,       'myns.mailstead.net',    undefined],
  [LIVE,       'acme.test',             /special-use/],
  [LIVE,       'www.example.com',       /special-use/],
  [LIVE,       'printer.local',         /special-use/],
  [LIVE,       'ns.mailstead.net',      /platform/],
  [LIVE,       'ada.ns.mailstead.net',  /platform/],
  [LIVE,       'mailstead.net',         /platform/],
  [LIVE,       'mx.mailstead.net',      /platform/],
  [LIVE,       'a.b.mx.mailstead.net',  /platform/],
  [LABORATORY, 'acme.com',              undefined],
  [LABORATORY, 'acme.test',             undefined],
  [LABORATORY, 'acme.invalid',          undefined],
  [LABORATORY, 'mailstead.net',         /platform/],
  [LABORATORY, 'x.ns.mailstead.net',    /platform/],
  [SANDBOX,    'acme.test',             undefined],
  [SANDBOX,    'mail.acme.example',     undefined],
  [SANDBOX,    'myinbox.test',          undefined],
  [SANDBOX,    'acme.com',              /only names below \.test and \.example/],
  [SANDBOX,    'example.com',           /only names below \.test and \.example/],
  [SANDBOX,    'acme.mytest',           /only names below \.test and \.example/],
  [SANDBOX,    'acme.test.com',         /only names below \.test and \.example/],
  [SANDBOX,    'acme.invalid',          /only names below \.test and \.example/],
  [SANDBOX,    'inbox.test',            /platform/],
  [SANDBOX,    'x.inbox.test',          /platform/],
  [SANDBOX,    'mailstead.test',        /platform/],
]

test('each world takes its own names, and none the platform’s', () => {
  for (const [rules, name, refusal] of IN_A_WORLD) {
    const said = refusalIn(name, rules)
    if (refusal === undefined) assert.equal(said, undefined, name)
    else assert.match(said?.message ?? '', refusal, name)
  }
})

// biome-ignore format: a table
const WITHIN: [name: string, zone: string, expected: boolean][] = [
  ['acme.com',      'acme.com', true],
  ['a.acme.com',    'acme.com', true],
  ['a.b.acme.com',  'com',      true],
  ['com',           '',         true],
  ['',              '',         true],
  ['acme.com',      'a.acme.com', false],
  ['myacme.com',    'acme.com', false],
  ['acme.com.de',   'acme.com', false],
  ['',              'com',      false],
  ['com',           'acme.com', false],
]

test('a name is within a zone at whole labels', () => {
  for (const [name, zone, expected] of WITHIN) assert.equal(isWithin(name, zone), expected, name)
})

test('the ancestors of a name are those that enclose it, nearest first', () => {
  assert.deepEqual(ancestorsOf('a.b.acme.com'), ['b.acme.com', 'acme.com', 'com'])
  assert.deepEqual(ancestorsOf('acme.com'), ['com'])
  assert.deepEqual(ancestorsOf('com'), [])
})

test('absolute names end in one dot and relative ones in none, both in lower case', () => {
  for (const written of ['Mail.Acme.COM', 'mail.acme.com.']) {
    assert.equal(absolute(written), 'mail.acme.com.')
    assert.equal(relative(written), 'mail.acme.com')
  }
})
