/** Moving in from hosts that answer badly or hold odd things: nothing is promised early, nothing lost in silence. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { sql } from 'kysely'
import { conditionOf, type Json, until } from '../client.ts'
import { ask } from '../dns.ts'
import { type Fault, startFormerHost } from '../former-host.ts'
import { testHouse } from '../house.ts'
import { startOutside } from '../outside.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const former = await startFormerHost(outside)
after(() => former[Symbol.asyncDispose]())
const house = await testHouse(outside.settings)
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client, store } = house

const faults = new Map<string, (type: string) => Fault>()
former.misbehave = (name, type) =>
  [...faults].find(([zone]) => name === `${zone}.` || name.endsWith(`.${zone}.`))?.[1](type)

const SITE = { type: 'A', name: '@', content: '192.0.2.10', ttl: 300 }

async function serveElsewhere(
  name: string,
  records: readonly object[],
  fault?: (type: string) => Fault,
): Promise<string[]> {
  if (fault) faults.set(name, fault)
  const nameservers = await former.serve(name, records)
  await client.delegate(name, nameservers)
  return nameservers
}

const importOf = async (id: string): Promise<Json> =>
  (await client.get(`/domains/${id}/import`)).body
const addressesAt = async (name: string) =>
  (await ask(house.dns, name, 'A')).answers.map(({ data }) => data)

describe('the import', () => {
  test('names the type that cannot be asked for, takes all else along, and only then shows the pair', async () => {
    await serveElsewhere('servfail.test', [SITE, { ...SITE, name: 'www' }], (type) =>
      type === 'CAA' ? 'servfail' : undefined,
    )
    const { body } = await client.post('/domains', { domain: 'servfail.test' })
    assert.equal(body.nameservers.length, 2)
    await client.delegate('servfail.test', body.nameservers)
    const imported = await importOf(body.domain_id)
    assert.equal(imported.state, 'incomplete')
    assert.match(imported.message, /Not answered: CAA of servfail\.test\./)
    assert.deepEqual(imported.records.map(({ name, type }: Json) => `${name} ${type}`).toSorted(), [
      'servfail.test A',
      'www.servfail.test A',
    ])
    await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
    assert.deepEqual(await addressesAt('servfail.test'), ['192.0.2.10'])
  })

  test('asks nameservers that answer FORMERR to EDNS again without', async () => {
    await serveElsewhere('noedns.test', [SITE], () => 'formerr_to_edns')
    const { body } = await client.post('/domains', { domain: 'noedns.test' })
    const { records } = await importOf(body.domain_id)
    assert.deepEqual(
      records.map(({ value }: Json) => value),
      ['192.0.2.10'],
    )
  })

  test('of silent nameservers shows no pair, says so, and ends by the clock', async () => {
    const nameservers = await serveElsewhere('silent.test', [SITE], () => 'silence')
    const { body } = await client.post('/domains', { domain: 'silent.test' })
    assert.deepEqual([body.status, body.nameservers], ['DNS_CONFIGURING', []])
    const waiting = await client.untilDomain(
      body.domain_id,
      (domain) => conditionOf(domain, 'zone_ready').reason === 'importing',
    )
    assert.deepEqual(waiting.nameservers, [])
    assert.equal((await importOf(body.domain_id)).state, 'wanted')
    const { status_message } = (await client.get(`/domains/${body.domain_id}/progress`)).body
    assert.match(status_message, /do not answer.*we keep trying/)
    await sql`update domains set created_at = created_at - interval '5 minutes'
      where id = ${body.domain_id}`.execute(store.db)
    const shown = await client.untilDomain(
      body.domain_id,
      (domain) => domain.nameservers.length === 2,
      60_000,
    )
    assert.equal(shown.status, 'DNS_PENDING')
    const imported = await importOf(body.domain_id)
    assert.equal(imported.state, 'incomplete')
    assert.match(imported.message, /No nameserver that silent\.test has now answered\./)
    assert.ok(!nameservers.some((each) => shown.nameservers.includes(each)))
  })

  test('takes nothing from nameservers of this installation', async () => {
    const first = await client.post('/domains', { domain: 'ours.test', import_records: false })
    await client.delegate('ours.test', first.body.nameservers)
    const other = await house.clientOf({ workspace: '00000000-0000-7000-8000-00000000aaaa' })
    const { body } = await other.post('/domains', { domain: 'ours.test' })
    const { body: imported } = await other.get(`/domains/${body.domain_id}/import`)
    assert.deepEqual([imported.state, imported.records], ['incomplete', []])
    assert.match(imported.message, /nameservers of this installation already/)
  })

  test('keeps a name that holds a space, as host names do not', async () => {
    await serveElsewhere('printer.test', [
      { type: 'TXT', name: '@', content: '"a=1" "b=2"', ttl: 300 },
      {
        type: 'HTTPS',
        name: '@',
        data: { priority: 1, target: '.', value: 'alpn="h2"' },
        ttl: 300,
      },
    ])
    const { body } = await client.post('/domains', { domain: 'printer.test' })
    const { records } = await importOf(body.domain_id)
    assert.deepEqual(records.map(({ type, value }: Json) => `${type} ${value}`).toSorted(), [
      'HTTPS 1 . alpn=h2',
      'TXT "a=1" "b=2"',
    ])
  })
})

describe('a delegation that hides records of ours', () => {
  test('is told as the customer’s turn, and all goes on once it is removed', async () => {
    await serveElsewhere('hidden.test', [
      { type: 'NS', name: '_domainkey', content: 'ns1.vendor.example', ttl: 300 },
    ])
    const { body } = await client.post('/domains', { domain: 'hidden.test' })
    await client.delegate('hidden.test', body.nameservers)
    const waiting = await client.untilDomain(
      body.domain_id,
      (domain) => conditionOf(domain, 'records_published').reason === 'hidden_by_delegation',
    )
    const { message, waiting_for } = conditionOf(waiting, 'records_published')
    assert.equal(waiting_for, 'customer')
    assert.match(message, /NS ns1\.vendor\.example\. at _domainkey\.hidden\.test .* remove it/)
    const { records } = (await client.get(`/domains/${body.domain_id}/records`)).body
    const { record_id } = records.find(({ type }: Json) => type === 'NS')
    await client.delete(`/domains/${body.domain_id}/records/${record_id}`)
    await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
  })
})

const FILE = String.raw`$ORIGIN filed.test.
$TTL 3600
@ IN SOA ns1.old.example. host.old.example. ( 1 ; serial
    7200 3600 1209600 300 )
  IN NS ns1.old.example.
@ IN A 192.0.2.20
crm IN CNAME tenant.crm.example.
em1234 IN CNAME u1234.wl.sendgrid.example.
svc IN CNAME My\032Printer._ipp._tcp.other.example.
_domainkey IN NS ns1.vendor.example.
old IN DNAME new.example.
odd IN TYPE65280 \# 2 abcd
outside.example. IN A 192.0.2.66
k1._domainkey IN TXT ( "v=DKIM1; k=rsa; "
   "p=AAAA" )
`

describe('a zone file', () => {
  const addFor = async (name: string) =>
    (await client.post('/domains', { domain: name, import_records: false })).body
  const send = (id: string, file: unknown) =>
    client.post(`/domains/${id}/import`, { zone_file: file })

  test('is taken, and every line of it is accounted for', async () => {
    const { domain_id: id, nameservers } = await addFor('filed.test')
    const { status, body } = await send(id, FILE)
    assert.equal(status, 200, JSON.stringify(body))
    assert.equal(body.state, 'done')
    assert.deepEqual([body.file.added, body.file.present], [6, 0])
    assert.deepEqual(
      body.file.left_out.map(({ line, name, type }: Json) => `${line} ${name} ${type}`),
      [
        '3 filed.test SOA',
        '5 filed.test NS',
        '10 _domainkey.filed.test NS',
        '11 old.filed.test DNAME',
        '13 outside.example A',
      ],
    )
    for (const { reason } of body.file.left_out) assert.match(reason, /\w{4}/)
    const again = await send(id, FILE)
    assert.deepEqual([again.body.file.added, again.body.file.present], [0, 6])
    await client.delegate('filed.test', nameservers)
    await client.untilDomain(id, ({ status }) => status === 'ACTIVE')
    await until(
      () => addressesAt('filed.test'),
      (seen) => seen[0] === '192.0.2.20',
    )
    for (const [label, type] of [
      ['crm', 'CNAME'],
      ['svc', 'CNAME'],
      ['odd', 'TYPE65280'],
    ] as const) {
      await until(
        async () => (await ask(house.dns, `${label}.filed.test`, type)).answers.length,
        (count) => count === 1,
      )
    }
  })

  test('is taken as a body of its own type', async () => {
    const { domain_id: id } = await addFor('body.test')
    const path = `/api/public/v1/domains/${id}/import`
    const file = 'www 300 IN A 192.0.2.1\n'
    const { status, body } = await client.request('POST', path, file, {
      'content-type': 'text/dns',
    })
    assert.deepEqual([status, body.file.added], [200, 1], JSON.stringify(body))
  })

  test('ends an import that is still under way', async () => {
    await serveElsewhere('stalled.test', [SITE], () => 'silence')
    const { body } = await client.post('/domains', { domain: 'stalled.test' })
    assert.deepEqual(body.nameservers, [])
    assert.equal((await send(body.domain_id, '@ 300 IN A 192.0.2.30\n')).status, 200)
    const shown = await client.untilDomain(body.domain_id, ({ status }) => status === 'DNS_PENDING')
    assert.equal(shown.nameservers.length, 2)
  })

  // biome-ignore format: a table
  const REFUSED: [what: string, file: string, sentence: RegExp, status: number][] = [
    ['with $INCLUDE',             '$INCLUDE /etc/passwd\n',                           /line 1: \$INCLUDE is not taken/,  422],
    ['with $GENERATE',            '$GENERATE 1-99999999 h$ A 192.0.2.1\n',            /line 1: \$GENERATE is not taken/, 422],
    ['with a directive nobody knows', 'www 300 A 192.0.2.1\n$FOO\n',                  /line 2: \$FOO is not taken/,      422],
    ['with a line that is none',  'www 300 A 192.0.2.1\nwww 300 A 192.0.2\n',         /line 2: .* no IPv4 address/,      422],
    ['with too many records',     'a 60 A 192.0.2.1\n'.repeat(2000),                  /more than 1000 records/,          422],
    ['that is too long a text',   `; ${'x'.repeat(950_000)}\n`,                       /<=900000 characters/,       422],
  ]
  for (const [what, file, sentence, expected] of REFUSED) {
    test(`${what} is refused with a sentence, and nothing of it is kept`, async () => {
      const { domain_id: id } = await addFor(
        `refused${REFUSED.findIndex(([each]) => each === what)}.test`,
      )
      const { status, body } = await send(id, file)
      assert.equal(status, expected, JSON.stringify(body).slice(0, 300))
      assert.ok(
        body.detail.some(({ msg }: Json) => sentence.test(msg)),
        JSON.stringify(body).slice(0, 500),
      )
      assert.deepEqual((await importOf(id)).records, [])
    })
  }

  test('of 10 MB is refused at the door', async () => {
    const { domain_id: id } = await addFor('large.test')
    assert.equal((await send(id, 'x'.repeat(10_000_000))).status, 413)
  })
})
