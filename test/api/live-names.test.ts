import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createApiKey, FIRST_WORKSPACE } from '#store/api-keys.ts'
import { Client } from '../client.ts'
import { type TestHouse, testHouse } from '../house.ts'
import { refuses, violates } from './expect.ts'
import { LABORATORY, LIVE } from './live.ts'
import { SANDBOX_OPERATIONS } from './operations.ts'

async function liveClient({ client, store }: TestHouse): Promise<Client> {
  const wanted = { workspaceId: FIRST_WORKSPACE, name: 'live', scopes: ['*'] }
  const { key } = await createApiKey(store, { ...wanted, world: 'live' })
  return new Client(client.base, key)
}

// biome-ignore format: a table
const REFUSED_LIVE: readonly [name: string, why: string][] = [
  ['acme.test',                        'special use: RFC 6761'],
  ['acme.example',                     'special use: RFC 6761'],
  ['mail.example.com',                 'special use: RFC 6761'],
  ['example.org',                      'special use: RFC 6761'],
  ['x.invalid',                        'special use: RFC 6761'],
  ['x.localhost',                      'special use: RFC 6761'],
  ['printer.local',                    'special use: RFC 6762'],
  ['expyuzz4wqqyqhjn.onion',           'special use: RFC 7686'],
  ['x.alt',                            'special use: RFC 9476'],
  ['nas.internal',                     'special use: reserved for private use'],
  ['router.home.arpa',                 'special use: RFC 8375'],
  ['1.in-addr.arpa',                   'special use: the reverse tree'],
  ['8.b.d.0.1.0.0.2.ip6.arpa',         'special use: the reverse tree'],
  ['mailstead-platform.com',           'above the platform'],
  ['ns.mailstead-platform.com',        'the nameserver zone'],
  ['NS.Mailstead-Platform.COM.',       'the nameserver zone, written otherwise'],
  ['ada.ns.mailstead-platform.com',    'a nameserver'],
  ['mx.mailstead-platform.com',        'the mail host'],
  ['probe.mx.mailstead-platform.com',  'the probe host'],
  ['a.b.mx.mailstead-platform.com',    'below the mail host'],
  ['api.mailstead-console.com',        'the API'],
  ['mailstead-console.com',            'above the API'],
  ['com',                              'a single label'],
  ['co.uk',                            'a public suffix'],
  ['github.io',                        'a public suffix of a private registry'],
  ['anything.ck',                      'a public suffix by a wildcard'],
]

test('the live world', async (t) => {
  await using house = await testHouse(LIVE)
  const client = await liveClient(house)

  for (const [name, why] of REFUSED_LIVE) {
    await t.test(`refuses ${name}: ${why}`, async () => {
      violates(
        await client.post('/domains', { domain: name }),
        ['body', 'domain'],
        'value_error.domain',
      )
    })
  }

  await t.test('has stored none of them', async () => {
    assert.equal((await client.get('/domains')).body.pagination.total, 0)
    const rows = await house.store.db.selectFrom('domains').select('id').execute()
    assert.equal(rows.length, 0)
  })

  // biome-ignore format: a table
  const accepted = [
    ['mail.acme.com',               'mail.acme.com'],
    ['www.ck',                      'www.ck'],
    ['platform.com',                'platform.com'],
    ['mymailstead-platform.com',    'mymailstead-platform.com'],
    ['BÜCHER.example.de',           'xn--bcher-kva.example.de'],
    ['acme.github.io',              'acme.github.io'],
  ] as const
  for (const [written, name] of accepted) {
    await t.test(
      `takes ${written}, and shows no nameservers while no parent can be asked`,
      async () => {
        const { status, body } = await client.post('/domains', { domain: written })
        assert.equal(status, 201, JSON.stringify(body))
        assert.equal(body.domain_name, name)
        assert.equal(body.status, 'DNS_CONFIGURING')
        assert.deepEqual(body.nameservers, [])
      },
    )
  }

  await t.test('sees no domain of the sandbox, nor the sandbox one of its', async () => {
    await house.client.post('/domains', { domain: 'acme.test' })
    const [live, sandbox] = [await client.get('/domains'), await house.client.get('/domains')]
    assert.equal(live.body.pagination.total, accepted.length)
    assert.equal(sandbox.body.pagination.total, 1)
    const { domain_id } = sandbox.body.domains[0]
    refuses(await client.get(`/domains/${domain_id}`), 404, 'domain_not_found')
  })

  for (const [method, path, body] of SANDBOX_OPERATIONS) {
    await t.test(`has no sandbox: ${method} ${path}`, async () => {
      refuses(await client.sandbox(method, path, body), 403, 'test_key_required')
    })
  }
})

test('a laboratory takes special-use names, but neither malformed ones nor its own', async () => {
  await using house = await testHouse(LABORATORY)
  const client = await liveClient(house)
  for (const name of ['acme.test', 'acme.example', 'nas.internal', 'acme.com']) {
    assert.equal((await client.post('/domains', { domain: name })).status, 201, name)
  }
  for (const name of [
    'ns.laboratory.internal',
    'laboratory.internal',
    '10.0.0.1',
    'co.uk',
    'a_b.test',
  ]) {
    const answer = await client.post('/domains', { domain: name })
    violates(answer, ['body', 'domain'], 'value_error.domain')
  }
})

test('in a laboratory the sandbox is off, and test keys are told so', async () => {
  await using house = await testHouse(LABORATORY)
  refuses(await house.client.get('/domains'), 403, 'sandbox_off')
  refuses(await house.client.post('/domains', { domain: 'acme.test' }), 403, 'sandbox_off')
  for (const [method, path, body] of SANDBOX_OPERATIONS) {
    const { status } = await house.client.sandbox(method, path, body)
    assert.ok([403, 404].includes(status), `${method} ${path}: ${status}`)
  }
})

test('an installation that nobody outside can reach takes no live domains, and lists why', async () => {
  await using house = await testHouse({ MAILSTEAD_NAMESERVER_ZONE: 'ns.mailstead-platform.com' })
  const answer = await (await liveClient(house)).post('/domains', { domain: 'acme.com' })
  refuses(answer, 503, 'installation_not_ready')
  assert.ok(answer.body.obstacles.length > 0)
  assert.ok(answer.body.obstacles.every((each: unknown) => typeof each === 'string'))
})

test('an installation on public IPv4 addresses takes live domains', async () => {
  await using house = await testHouse({
    ...LIVE,
    MAILSTEAD_NAMESERVER_ADDRESSES: '8.8.4.4,8.8.8.8',
    MAILSTEAD_MAIL_HOST_ADDRESSES: '8.8.4.4',
  })
  const { status, body } = await (await liveClient(house)).get('/domains')
  assert.equal(status, 200, JSON.stringify(body))
})
