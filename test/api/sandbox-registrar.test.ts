import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { testHouse } from '../house.ts'
import { hasFields, isInstant, refuses, violates } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house

const PAIR = ['ns1.elsewhere.test', 'ns2.elsewhere.test']
const DIGEST = 'ab'.repeat(32)
const put = (domain: string, body: unknown) =>
  client.sandbox('PUT', `/registrar/${domain}/nameservers`, body)
const get = (domain: string) => client.sandbox('GET', `/registrar/${domain}/nameservers`)

test('what was published can be read again, and taken away once', async () => {
  const ds = [`12345 13 2 ${DIGEST}`]
  const { status, body } = await put('Acme.TEST.', {
    nameservers: ['NS1.Elsewhere.test.', PAIR[1]],
    ds,
  })
  assert.equal(status, 200)
  hasFields(body, 'domain nameservers ds published_at')
  assert.deepEqual([body.domain, body.nameservers, body.ds], ['acme.test', PAIR, ds])
  isInstant(body.published_at)
  assert.deepEqual((await get('acme.test')).body, body)
  assert.deepEqual((await get('ACME.test.')).body, body)

  assert.equal((await client.undelegate('acme.test')).status, 200)
  refuses(await get('acme.test'), 404, 'delegation_not_found')
  refuses(await client.undelegate('acme.test'), 404, 'delegation_not_found')
})

test('what is published anew replaces what was there, whole', async () => {
  await put('anew.test', { nameservers: PAIR, ds: [`1 8 1 ${'ab'.repeat(20)}`] })
  await put('anew.test', { nameservers: ['ns3.elsewhere.test'] })
  const { body } = await get('anew.test')
  assert.deepEqual([body.nameservers, body.ds], [['ns3.elsewhere.test'], []])
})

test('a name below another can have nameservers of its own', async () => {
  for (const name of ['zone.example', 'mail.zone.example', 'a.b.c.zone.example'])
    assert.equal((await put(name, { nameservers: PAIR })).status, 200, name)
})

const DOMAIN = 'value_error.domain'

// biome-ignore format: a table
const NO_NAMES = ['test', 'example', 'com', 'acme.com', 'acme.testing', 'localhost', '127.0.0.1', 'acme..test', '-acme.test', 'a_b.test', 'a%20b.test', 'acme%00.test', '%0d%0aacme.test', `${'a'.repeat(64)}.test`, 'x.local', '1.in-addr.arpa']
// biome-ignore format: a table
const RESERVED = ['mailstead.test', 'ns.mailstead.test', 'ada.ns.mailstead.test', 'mx.mailstead.test', 'probe.mx.mailstead.test', 'inbox.test', 'x.inbox.test', 'bounces.test', 'defers.test', 'slow.test', 'parent.test', 'a.parent.test']

test('what nobody can register is refused, and so are the names of the platform', async () => {
  for (const name of [...NO_NAMES, ...RESERVED]) {
    violates(await put(name, { nameservers: PAIR }), ['path', 'domain'], DOMAIN)
    violates(await get(name), ['path', 'domain'], DOMAIN)
    violates(await client.undelegate(name), ['path', 'domain'], DOMAIN)
  }
})

// biome-ignore format: a table
const REFUSED: readonly [body: unknown, loc: (string | number)[], type: string][] = [
  [{},                                            ['body', 'nameservers'],       'value_error.missing'],
  [[],                                            ['body'],                      'type_error.dict'],
  [{ nameservers: [] },                           ['body', 'nameservers'],       'value_error.list.min_items'],
  [{ nameservers: Array(14).fill('ns.a.test') },  ['body', 'nameservers'],       'value_error.list.max_items'],
  [{ nameservers: [1] },                          ['body', 'nameservers', 0],    'type_error.str'],
  [{ nameservers: ['ns.a.test', ''] },            ['body', 'nameservers', 1],    DOMAIN],
  [{ nameservers: ['192.0.2.1'] },                ['body', 'nameservers', 0],    DOMAIN],
  [{ nameservers: ['ns'] },                       ['body', 'nameservers', 0],    DOMAIN],
  [{ nameservers: ['ns .a.test'] },               ['body', 'nameservers', 0],    DOMAIN],
  [{ nameservers: PAIR, delay_seconds: -1 },      ['body', 'delay_seconds'],     'value_error.number.not_ge'],
  [{ nameservers: PAIR, delay_seconds: 86_401 },  ['body', 'delay_seconds'],     'value_error.number.not_le'],
  [{ nameservers: PAIR, delay_seconds: '5' },     ['body', 'delay_seconds'],     'type_error.integer'],
  [{ nameservers: PAIR, ds: 'x' },                ['body', 'ds'],                'type_error.list'],
  [{ nameservers: PAIR, ds: ['x'] },              ['body', 'ds', 0],             'value_error.str.regex'],
  [{ nameservers: PAIR, ds: [`1 8 2 ${DIGEST}x`] }, ['body', 'ds', 0],           'value_error.str.regex'],
  [{ nameservers: PAIR, ds: [`1 8 2 ${DIGEST.slice(1)}`] }, ['body', 'ds', 0],   'value_error.str.regex'],
  [{ nameservers: PAIR, ds: [`-1 8 2 ${DIGEST}`] }, ['body', 'ds', 0],           'value_error.str.regex'],
  [{ nameservers: PAIR, ds: Array(9).fill(`1 8 2 ${DIGEST}`) }, ['body', 'ds'],  'value_error.list.max_items'],
]

for (const [body, loc, type] of REFUSED) {
  test(`refused, and not published: ${JSON.stringify(body).slice(0, 70)}`, async () => {
    violates(await put('refused.test', body), loc, type)
    refuses(await get('refused.test'), 404, 'delegation_not_found')
  })
}

test('the parent publishes after the delay, not before', async () => {
  const { body: added } = await client.post('/domains', { domain: 'delayed.test' })
  const began = Date.now()
  const { body } = await client.delegate('delayed.test', added.nameservers, { delay_seconds: 3 })
  assert.ok(Math.abs(Date.parse(body.published_at) - began - 3000) < 1000, body.published_at)
  await delay(1000)
  const early = await client.post(`/domains/${added.domain_id}/activate`)
  assert.equal(early.body.dns_verified, false)
  assert.equal(early.body.delegation.verdict, 'not_published')
  await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
  assert.ok(Date.now() - began >= 3000)
})

test('what is to be published later can be changed before', async () => {
  const { body: added } = await client.post('/domains', { domain: 'changed.test' })
  await client.delegate('changed.test', added.nameservers, { delay_seconds: 3600 })
  await client.delegate('changed.test', added.nameservers)
  await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
})

test('one thing wrong is told of once: a text where a list is wanted', async () => {
  const answer = await put('refused.test', { nameservers: 'ns1.elsewhere.test' })
  violates(answer, ['body', 'nameservers'], 'type_error.list')
})

test('a DS with numbers that no DS has is refused, and does no harm to anybody else', async () => {
  for (const ds of [`65536 8 2 ${DIGEST}`, `1 256 2 ${DIGEST}`, `1 8 256 ${DIGEST}`]) {
    const answer = await put('poison.test', { nameservers: PAIR, ds: [ds] })
    violates(answer, ['body', 'ds', 0], 'value_error.str.regex')
  }
  assert.equal((await put('healthy.test', { nameservers: PAIR })).status, 200)
})
