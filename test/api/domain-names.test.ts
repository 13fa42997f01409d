import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { until } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { isNotOurFault, troubleIn, violates } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house

const add = (domain: unknown) => client.post('/domains', { domain })
const label = (length: number): string => 'a'.repeat(length)
const octets = (length: number): string => {
  const rest = length - '.test'.length
  const labels = Array.from({ length: Math.floor(rest / 60) }, () => label(59))
  return [...labels, label(rest - labels.length * 60), 'test'].join('.')
}

const DOMAIN = 'value_error.domain'
const EMPTY = 'value_error.any_str.min_length'
const LONG = 'value_error.any_str.max_length'
const NOT_TEXT = 'type_error.str'

// biome-ignore format: a table
const REFUSED: readonly [written: unknown, type: string][] = [
  // Not text, or none.
  [1, NOT_TEXT], [null, NOT_TEXT], [true, NOT_TEXT], [['acme.test'], NOT_TEXT], [{ name: 'acme.test' }, NOT_TEXT],
  ['', EMPTY], [' ', EMPTY], ['\t\r\n', EMPTY],
  ['.', DOMAIN], ['..', DOMAIN], ['。', DOMAIN],

  // IP addresses, in every form some parser takes for one.
  ['127.0.0.1', DOMAIN], ['192.0.2.1.', DOMAIN], ['127.1', DOMAIN], ['0x7f.1', DOMAIN], ['0x7f.0.0.1', DOMAIN], ['0177.0.0.1', DOMAIN],
  ['2130706433', DOMAIN], ['0x7f000001', DOMAIN], ['1.2.3.4.5', DOMAIN], ['256.1.1.1', DOMAIN], ['999.999', DOMAIN], ['acme.0', DOMAIN], ['acme.0x1', DOMAIN],
  ['１２７.０.０.１', DOMAIN], ['①②⑦.⓪.⓪.①', DOMAIN], ['127。0。0。1', DOMAIN],
  ['::1', DOMAIN], ['[::1]', DOMAIN], ['2001:db8::1', DOMAIN], ['[2001:db8::1]', DOMAIN], ['::ffff:127.0.0.1', DOMAIN], ['fe80::1%eth0', DOMAIN],

  // One label, a public suffix, and names nobody can delegate.
  ['acme', DOMAIN], ['test', DOMAIN], ['example', DOMAIN], ['test.', DOMAIN], ['com', DOMAIN], ['localhost', DOMAIN],
  ['co.uk', DOMAIN], ['github.io', DOMAIN], ['x.localhost', DOMAIN], ['x.local', DOMAIN], ['x.onion', DOMAIN], ['x.invalid', DOMAIN], ['x.alt', DOMAIN],
  ['x.internal', DOMAIN], ['1.in-addr.arpa', DOMAIN], ['1.ip6.arpa', DOMAIN], ['router.home.arpa', DOMAIN], ['arpa', DOMAIN],

  // Real names, which the sandbox has no business with.
  ['google.com', DOMAIN], ['acme.co.uk', DOMAIN], ['acme.com', DOMAIN], ['test.com', DOMAIN], ['acme.test.com', DOMAIN], ['example.org', DOMAIN], ['acmetest', DOMAIN], ['acme.notest', DOMAIN],

  // Too long: a label over 63 octets, a name over 253.
  [`${label(64)}.test`, DOMAIN], [`mail.${label(64)}.test`, DOMAIN], [`${'ü'.repeat(60)}.test`, DOMAIN],
  [octets(254), LONG], [`${octets(254)}.`, LONG], [label(1001), LONG], [`${label(100_000)}.test`, LONG],

  // Dots and hyphens where none may be.
  ['.acme.test', DOMAIN], ['acme..test', DOMAIN], ['acme.test..', DOMAIN], ['acme.test。', DOMAIN], ['-acme.test', DOMAIN], ['acme-.test', DOMAIN], ['-.test', DOMAIN], ['mail.-acme.test', DOMAIN], ['acme.-test', DOMAIN], ['acme.test-', DOMAIN],

  // Characters no host name has (RFC 1123 section 2.1).
  ['ac me.test', DOMAIN], [' acme.test', DOMAIN], ['acme.test ', DOMAIN], ['acme.test\n', DOMAIN], ['acme\t.test', DOMAIN], ['acme\u0000.test', DOMAIN], ['acme.test\u0000', DOMAIN], ['acme\u007f.test', DOMAIN],
  ['acme.test\r\nX-Injected: 1', DOMAIN], ['ac_me.test', DOMAIN], ['_dmarc.acme.test', DOMAIN], ['*.acme.test', DOMAIN], ['ac!me.test', DOMAIN], ['acme,test', DOMAIN], ['acme;test', DOMAIN], ["acme'.test", DOMAIN], ['acme".test', DOMAIN],
  ['acme%2etest', DOMAIN], ['acme%00.test', DOMAIN], ['%61cme.test', DOMAIN], ['acme\\.test', DOMAIN], ['acme\\032.test', DOMAIN],
  ['kim@acme.test', DOMAIN], ['https://acme.test', DOMAIN], ['acme.test/', DOMAIN], ['acme.test:25', DOMAIN], ['acme.test?x', DOMAIN], ['acme.test#x', DOMAIN], ['//acme.test', DOMAIN],

  // What Unicode would make of it: spaces, slashes, at signs and underscores in disguise, and what stands alone.
  ['acme\u00a0.test', DOMAIN], ['acme\u3000.test', DOMAIN], ['acme\u2028.test', DOMAIN], ['acme／x.test', DOMAIN], ['℀.test', DOMAIN], ['kim＠acme.test', DOMAIN], ['ac＿me.test', DOMAIN], ['acme％2e.test', DOMAIN],
  ['\u0301acme.test', DOMAIN], ['\ud800.test', DOMAIN], ['ac\u200dme.test', DOMAIN], ['ac\u200cme.test', DOMAIN], ['\u202eacme.test', DOMAIN], ['acme\ufffd.test', DOMAIN], ['אa.test', DOMAIN],
  ['xn--.test', DOMAIN], ['xn--ASCII-.test', DOMAIN], ['xn--\u00fc.test', DOMAIN],
]

for (const [written, type] of REFUSED) {
  const shown = JSON.stringify(written).slice(0, 60)
  test(`refused, and nothing is stored: ${shown}`, async () => {
    violates(await add(written), ['body', 'domain'], type)
  })
}

// biome-ignore format: a table
const RESERVED = [
  'ns.mailstead.test', 'NS.Mailstead.TEST.', 'ada.ns.mailstead.test', 'x.y.ns.mailstead.test', 'mailstead.test',
  'mx.mailstead.test', 'probe.mx.mailstead.test', 'a.probe.mx.mailstead.test',
  'inbox.test', 'x.inbox.test', 'bounces.test', 'defers.test', 'slow.test', 'postbox.inbox.test', 'parent.test', 'a.parent.test',
  'ｉｎｂｏｘ.test', 'inbox。test', 'in\u00adbox.test',
]

for (const written of RESERVED) {
  test(`refused, being the platform's own, above it or below it: ${written}`, async () => {
    violates(await add(written), ['body', 'domain'], DOMAIN)
  })
}

test('after all these, nothing is stored and nothing was our fault', async () => {
  assert.equal((await client.get('/domains')).body.pagination.total, 0)
  for (const table of ['domains', 'claims', 'served_names'] as const) {
    const { count } = await house.store.db
      .selectFrom(table)
      .select((e) => e.fn.countAll<string>().as('count'))
      .executeTakeFirstOrThrow()
    assert.equal(Number(count), 0, table)
  }
  assert.deepEqual(troubleIn(house.logLines), [])
})

// biome-ignore format: a table
const ACCEPTED: readonly [written: string, name: string][] = [
  ['acme.test',              'acme.test'],
  ['Mail.ACME.Test',         'mail.acme.test'],
  ['dotted.test.',           'dotted.test'],
  ['acme.example',           'acme.example'],
  ['a.test',                 'a.test'],
  ['1.test',                 '1.test'],
  ['3com.test',              '3com.test'],
  ['127.0.0.1.test',         '127.0.0.1.test'],
  ['a-b--c.test',            'a-b--c.test'],
  ['co.uk.test',             'co.uk.test'],
  ['com.test',               'com.test'],
  ['notmailstead.test',      'notmailstead.test'],
  ['myinbox.test',           'myinbox.test'],
  ['constructor.test',       'constructor.test'],
  ['a.b.c.d.e.f.g.h.test',   'a.b.c.d.e.f.g.h.test'],
  [`${label(63)}.test`,      `${label(63)}.test`],
  // IDN by UTS 46, non-transitional: ß stays itself, whatever its capital.
  ['bücher.test',            'xn--bcher-kva.test'],
  ['BÜCHER.test',            'xn--bcher-kva.test'],
  ['fa\u00df.test',          'xn--fa-hia.test'],
  ['MASSE\u1e9e.test',       'xn--masse-pqa.test'],
  ['faß.example',            'xn--fa-hia.example'],
  ['例え。test',              'xn--r8jz45g.test'],
  ['ｗｉｄｅ．test',           'wide.test'],
  ['\u212aelvin.test',       'kelvin.test'],
  ['so\u00adft.test',        'soft.test'],
  ['bu\u0308cher2.test',     'xn--bcher2-3ya.test'],
  ['xn--mnchen-3ya.test',    'xn--mnchen-3ya.test'],
  ['XN--MNCHEN-3YA.example', 'xn--mnchen-3ya.example'],
  ['☕.test',                 'xn--53h.test'],
  ['क्\u200dष.test',           'xn--11b2ezcw70k.test'],
]

for (const [written, name] of ACCEPTED) {
  test(`taken: ${written} is ${name}`, async (t) => {
    const { status, body } = await add(written)
    // Two ways to write one name are one name.
    if (status === 409) return t.diagnostic(`${body.error}: ${name}`)
    assert.equal(status, 201, JSON.stringify(body))
    assert.equal(body.domain_name, name)
    assert.equal((await client.get(`/domains/${body.domain_id}`)).body.domain_name, name)
  })
}

// biome-ignore format: a table
const SAME_NAME: readonly [first: string, again: string][] = [
  ['same.test',      'SAME.test.'],
  ['größe.test',     'GRÖßE.test'],
  ['größe2.test',    'xn--gre2-wna1l.test'],
  ['zone.a.test',    'zone。a．test'],
]

for (const [first, again] of SAME_NAME) {
  test(`one name, written twice: ${first} and ${again}`, async () => {
    const { body: added } = await add(first)
    const answer = await add(again)
    assert.equal(answer.status, 409, JSON.stringify([added.domain_name, answer.body]))
    assert.equal(answer.body.domain_id, added.domain_id)
  })
}

test('an A-label that stands for no U-label is refused (RFC 5890 section 2.3.2.1)', async () => {
  for (const written of [
    'xn--a.test',
    'xn--zzzzzzzzzzz.test',
    'mail.xn--0.test',
    'xn--xn--a--gua.test',
  ])
    violates(await add(written), ['body', 'domain'], DOMAIN)
})

test('a name that leaves room for the records below it becomes ACTIVE, long as it is', async () => {
  await client.addActive(octets(231))
})

test('a name that leaves no room for the records below it is refused, or served all the same', async () => {
  const name = octets(253)
  const { status, body } = await add(name)
  if (status === 422) return
  await client.delegate(name, body.nameservers)
  await until(
    () => ask(house.dns, name, 'SOA'),
    ({ rcode }) => rcode === 'NOERROR',
  )
})

test('ten thousand octets of anything are read in no time, and are never our fault', async () => {
  const monsters = [
    'xn--',
    '-',
    '.',
    'ü',
    '\u0301',
    'a.',
    '1.',
    'a-',
    '٠',
    '\u200d',
    '𐀀',
    '[',
    '0x',
  ]
  for (const monster of monsters) {
    const written = monster.repeat(10_000 / monster.length)
    const began = performance.now()
    isNotOurFault(await add(written), monster)
    isNotOurFault(await add(written.slice(0, 990)), monster)
    isNotOurFault(await add(`${written.slice(0, 200)}.test`), monster)
    assert.ok(performance.now() - began < 12_000, `${monster} took long`)
  }
})
