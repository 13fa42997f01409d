/** What cannot be served is not accepted, what is accepted is served, and one bad record stops no other. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { sql } from 'kysely'
import { wakeRow } from '#engine/due-rows.ts'
import { TOPICS } from '#store/context.ts'
import { DOMAINS } from '#store/due-tables.ts'
import { touchName } from '#store/served-names.ts'
import { newId } from '../../src/ids.ts'
import { type Json, until } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const acme = await client.addActive('acme.test')
const path = `/domains/${acme.domain_id}/records`
const add = (record: object) => client.post(path, record)
const zoneFile = async () => {
  const answer = await fetch(`${client.base}/api/public/v1/domains/${acme.domain_id}/zone`, {
    headers: { 'x-api-key': client.key! },
  })
  return { status: answer.status, text: await answer.text() }
}

// biome-ignore format: a table
const REFUSED: [what: string, record: object, sentence: RegExp][] = [
  ['a target that is no A-label',            { name: 'a', type: 'CNAME', value: 'bücher.example.' },                     /A-labels/],
  ['flags above 255',                        { name: 'a', type: 'CAA', value: '999 issue ca.example' },                  /flags must be a number from 0 to 255/],
  ['an address with a zone',                 { name: 'a', type: 'AAAA', value: 'fe80::1%eth0' },                         /no IPv6 address/],
  ['a target of two words',                  { name: 'a', type: 'CNAME', value: 'a b.' },                                /whole, with a dot/],
  ['a target with a line break',             { name: 'a', type: 'CNAME', value: 'foo\nbar.' },                           /line break/],
  ['a value that would begin a line',        { name: 'a', type: 'CAA', value: '0 issue "x"\nevil 60 IN A 192.0.2.66' },  /line break/],
  ['words behind what the record holds',     { name: 'a', type: 'CAA', value: '0 issue "x" y' },                         /one word too many/],
  ['an owner outside of the zone',           { name: 'other.example.', type: 'A', value: '192.0.2.1' },                  /outside acme\.test/],
  ['an owner in other letters',              { name: 'bücher', type: 'A', value: '192.0.2.1' },                          /A-labels/],
  ['a label of 64 octets',                   { name: 'a'.repeat(64), type: 'A', value: '192.0.2.1' },                    /63 octets/],
  ['a null MX with a preference',            { name: 'a', type: 'MX', value: '5 .' },                                    /"0 \."/],
  ['an MX without its preference',           { name: 'a', type: 'MX', value: 'mail.acme.test.' },                        /written as: preference, exchange/],
  ['a preference that the value contradicts', { name: 'a', type: 'MX', value: '10 mx.acme.test.', priority: 20 },         /begins with 10/],
  ['a preference of what has none',          { name: 'a', type: 'A', value: '192.0.2.1', priority: 20 },                 /have none/],
  ['quotation marks that are not ended',     { name: 'a', type: 'TXT', value: '"open' },                                 /not ended/],
  ['a type that is none',                    { name: 'a', type: 'FOO', value: 'x' },                                     /FOO/],
  ['a DNAME, which a server must act upon',  { name: 'a', type: 'DNAME', value: 'b.example.' },                          /DNAME/],
  ['an SOA',                                 { name: 'a', type: 'SOA', value: 'a. b. 1 2 3 4 5' },                       /SOA/],
  ['what a signer makes',                    { name: 'a', type: 'TYPE46', value: '\\# 0' },                              /TYPE46/],
  ['rdata shorter than its type',            { name: 'a', type: 'A', value: '\\# 3 c00002' },                            /ends too early/],
  ['a length that is not that of the digits', { name: 'a', type: 'TYPE65280', value: '\\# 3 c0000201' },                  /length behind/],
  ['an unknown type in words',               { name: 'a', type: 'TYPE65280', value: 'hello' },                           /RFC 3597/],
  ['a parameter twice',                      { name: 'a', type: 'HTTPS', value: '1 . port=1 port=2' },                   /port is given twice/],
  ['a parameter that is needed, and not there', { name: 'a', type: 'HTTPS', value: '1 . mandatory=alpn' },                /alpn is missing/],
  ['a path without a place for the question', { name: 'a', type: 'SVCB', value: '1 . dohpath=/x' },                      /\{\?dns\}/],
  ['a digest that is too short',             { name: 'sub', type: 'DS', value: '1 13 2 abcd' },                          /32 octets, not 2/],
  ['a DS of the domain itself',              { name: '@', type: 'DS', value: '1 13 2 abcd' },                            /parent/],
]

describe('refused with a sentence:', () => {
  for (const [what, record, sentence] of REFUSED) {
    test(what, async () => {
      const { status, body } = await add(record)
      assert.equal(status, 422, JSON.stringify(body))
      assert.match(body.detail[0].msg, sentence)
    })
  }
})

// biome-ignore format: a table
const TAKEN: [what: string, record: Json | object, value: string, priority?: number][] = [
  ['an MX in the shape in which answers show it', { name: 'mx1', type: 'MX', value: 'mail.acme.test.', priority: 10 },       'mail.acme.test.', 10],
  ['an MX as a zone file has it',               { name: 'mx2', type: 'MX', value: '10 Mail.ACME.test.' },                    'mail.acme.test.', 10],
  ['an MX with its preference twice',           { name: 'mx3', type: 'MX', value: '10 mail.acme.test.', priority: 10 },      'mail.acme.test.', 10],
  ['an SRV in the shape in which answers show it', { name: '_x._tcp', type: 'SRV', value: '1 443 web.acme.test.', priority: 5 }, '1 443 web.acme.test.', 5],
  ['a null MX alone',                           { name: 'nomail', type: 'MX', value: '0 .' },                                '.', 0],
  ['a key pasted with its quotation marks',     { name: 'k1._domainkey', type: 'TXT', value: '"v=DKIM1; k=rsa; p=AAAA" "BBBB"' }, 'v=DKIM1; k=rsa; p=AAAABBBB'],
  ['a CAA value without its quotation marks',   { name: 'caa', type: 'CAA', value: '0 issue ca.example; account=1' },        '0 issue "ca.example; account=1"'],
  ['an address written at length',              { name: 'v6', type: 'AAAA', value: '2001:0DB8:0:0:0:0:0:1' },                '2001:db8::1'],
  ['text beyond ASCII',                         { name: 'text', type: 'TXT', value: 'Grüße' },                               'Grüße'],
  ['octets that are no text',                   { name: 'octets', type: 'TXT', value: '"\\000\\255"' },                      '"\\000\\255"'],
  ['a NUL in a text',                           { name: 'nul', type: 'TXT', value: 'a\0b' },                                 '"a\\000b"'],
  ['a service by its instance',                 { name: '_ipp._tcp', type: 'PTR', value: 'My\\032Printer._ipp._tcp.acme.test.' }, 'My\\032Printer._ipp._tcp.acme.test.'],
  ['HTTPS',                                     { name: 'web', type: 'HTTPS', value: '1 . alpn=h2,h3' },                     '1 . alpn=h2,h3'],
  ['SVCB',                                      { name: '_dns', type: 'svcb', value: '1 dot.example. port=853' },            '1 dot.example. port=853'],
  ['TLSA',                                      { name: '_25._tcp', type: 'TLSA', value: '3 1 1 ABCD' },                     '3 1 1 abcd'],
  ['SSHFP',                                     { name: 'ssh', type: 'SSHFP', value: '4 2 ab cd' },                          '4 2 abcd'],
  ['NAPTR',                                     { name: 'sip', type: 'NAPTR', value: '10 20 S SIP+D2U "" _sip._udp.acme.test.' }, '10 20 "S" "SIP+D2U" "" _sip._udp.acme.test.'],
  ['a type without a name here',                { name: 'loc', type: 'TYPE29', value: '\\# 2 AB cd' },                       '\\# 2 abcd'],
  ['an owner with an escaped dot',              { name: 'a\\.b', type: 'A', value: '192.0.2.1' },                            '192.0.2.1'],
  ['an owner written whole',                    { name: 'whole.acme.test.', type: 'A', value: '192.0.2.1' },                 '192.0.2.1'],
]

describe('taken, and shown in one form:', () => {
  for (const [what, record, value, priority = null] of TAKEN) {
    test(what, async () => {
      const { status, body } = await add(record)
      assert.equal(status, 201, JSON.stringify(body))
      assert.deepEqual([body.record.value, body.record.priority], [value, priority])
    })
  }

  test('and all of it is served', async () => {
    const answers = async (name: string, type: Parameters<typeof ask>[2]) =>
      (await ask(house.dns, name, type)).answers.length
    // biome-ignore format: a list
    const all = [
      ['mx1', 'MX'], ['mx2', 'MX'], ['_x._tcp', 'SRV'], ['nomail', 'MX'], ['k1._domainkey', 'TXT'], ['caa', 'CAA'],
      ['v6', 'AAAA'], ['text', 'TXT'], ['octets', 'TXT'], ['nul', 'TXT'], ['_ipp._tcp', 'PTR'], ['web', 'HTTPS'],
      ['_dns', 'SVCB'], ['_25._tcp', 'TLSA'], ['ssh', 'SSHFP'], ['sip', 'NAPTR'], ['loc', 'TYPE29'], ['whole', 'A'],
    ] as const
    for (const [label, type] of all) {
      await until(() => answers(`${label}.acme.test`, type), Boolean)
    }
  })

  test('and the zone file has a line for each of them, which reads the same', async () => {
    const { status, text } = await zoneFile()
    assert.equal(status, 200)
    assert.match(text, /^octets\.acme\.test\.\t300\tIN\tTXT\t"\\000\\255"$/m)
    assert.match(text, /^loc\.acme\.test\.\t300\tIN\tTYPE29\t\\# 2 abcd$/m)
    assert.match(text, /^a\\\.b\.acme\.test\.\t300\tIN\tA\t192\.0\.2\.1$/m)
  })
})

describe('beside each other', () => {
  test('a null MX and another MX do not stand', async () => {
    const { status, body } = await add({ name: 'nomail', type: 'MX', value: '10 mx.example.' })
    assert.equal(status, 422)
    assert.match(body.detail[0].msg, /takes no mail/)
  })

  test('values do not add up to more than an answer holds', async () => {
    const statuses: number[] = []
    for (let index = 0; index < 17; index++) {
      const value = `${index}`.padEnd(4000, 'x')
      statuses.push((await add({ name: 'big', type: 'TXT', value })).status)
    }
    const taken = statuses.filter((status) => status === 201).length
    assert.deepEqual(statuses, [...Array(taken).fill(201), ...Array(17 - taken).fill(422)])
    assert.ok(taken >= 10 && taken < 17)
  })

  // biome-ignore format: a table
  const HIDING: [name: string, type: string, value: string][] = [
    ['_dmarc',             'NS', 'ns1.vendor.example.'],
    ['_domainkey',         'NS', 'ns1.vendor.example.'],
  ]
  for (const [name, type, value] of HIDING) {
    test(`a delegation of ${name} does not stand beside our records there`, async () => {
      const { status, body } = await add({ name, type, value })
      assert.deepEqual([status, body.error], [409, 'record_conflict'])
      assert.match(body.reason, /would hide our records/)
    })
  }

  test('a delegation of any other name stands, and its DS beside it alone', async () => {
    const ds = { name: 'sub', type: 'DS', value: `1 13 2 ${'ab'.repeat(32)}` }
    assert.equal((await add(ds)).status, 409)
    assert.equal((await add({ name: 'sub', type: 'NS', value: 'ns.vendor.example.' })).status, 201)
    assert.equal((await add(ds)).status, 201)
  })
})

test('an rrset that cannot be served keeps no other from being served, and a condition names it', async () => {
  // As an older release, or a hand in the database, may have left it.
  const bad = { name: 'bad.acme.test.', type: 'CNAME', ttl: 300, data: ['bücher.example.'] }
  await sql`update zones set rrsets = rrsets || ${JSON.stringify([bad])}::jsonb
    where name = 'acme.test'`.execute(store.db)
  await store.db
    .insertInto('customer_records')
    .values({
      id: newId(),
      domain_id: acme.domain_id,
      origin: 'added',
      removed_at: null,
      name: 'worse.acme.test.',
      type: 'A',
      value: '192.0.2',
      ttl: 300,
    })
    .execute()
  await touchName(store.db, 'acme.test')
  await wakeRow(store.db, DOMAINS, acme.domain_id)
  store.doorbell.ring(TOPICS.servedNames)
  store.doorbell.ring(TOPICS.domainsDue)
  const seen = await client.untilDomain(acme.domain_id, ({ conditions }) =>
    conditions.some(({ reason }: Json) => reason === 'rrset_not_served'),
  )
  assert.equal(seen.status, 'ACTIVE')
  const { message, waiting_for } = seen.conditions.find(
    ({ reason }: Json) => reason === 'rrset_not_served',
  )
  assert.match(message, /A of worse\.acme\.test\. cannot be "192\.0\.2"/)
  assert.equal(waiting_for, 'customer')
  assert.equal((await add({ name: 'good', type: 'A', value: '192.0.2.5' })).status, 201)
  await until(async () => (await ask(house.dns, 'good.acme.test', 'A')).answers.length, Boolean)
  assert.equal((await ask(house.dns, 'acme.test', 'MX')).answers.length, 1)
  const { status, text } = await zoneFile()
  assert.equal(status, 200)
  assert.match(text, /^; bad\.acme\.test\. CNAME is left out: /m)
})
