import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startPostgres } from '#postgres/embedded.ts'
import { type Json, until } from '../client.ts'
import { temporaryDirectory } from '../directories.ts'
import { ask } from '../dns.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { freePort } from '../ports.ts'
import { startProduct } from '../product.ts'
import { exchange, leadsTo, visit } from '../redirect.ts'

const house = await testHouse({ MAILSTEAD_REDIRECT_LISTEN: '127.0.0.1:0' })
after(() => house[Symbol.asyncDispose]())
const { client } = house
const server = house.house.redirect[0]!

/** A change is followed within a second; the rest is for a busy machine. */
const FOLLOWED_MS = 5000

const redirect = (domain: Json, target_domain: string, more: object = {}) =>
  client.post(`/domains/${domain.domain_id}/redirect`, { target_domain, ...more })
const untilLeadsTo = (host: string, expected: string | undefined) =>
  until(
    () => leadsTo(server, host),
    (location) => location === expected,
    FOLLOWED_MS,
  )
const addressesOf = async (name: string) =>
  (await ask(house.dns, name, 'A')).answers.map(({ data }) => data)

test('a visitor is led from the name, found by DNS, to the target, until the redirect is deleted', async () => {
  const domain = await client.addActive('acme.test')
  assert.deepEqual(await addressesOf('acme.test'), [])
  assert.equal(await leadsTo(server, 'acme.test'), undefined)

  assert.equal((await redirect(domain, 'company.example')).body.setup_completed, true)
  assert.deepEqual(await addressesOf('acme.test'), ['127.0.0.1'])
  assert.deepEqual(await addressesOf('www.acme.test'), ['127.0.0.1'])
  await untilLeadsTo('acme.test', 'https://company.example/')
  const { status, headers } = await visit(server, 'GET /a/b?c=d', 'WWW.Acme.test.:80')
  assert.equal(status, 301)
  assert.equal(headers.get('location'), 'https://company.example/a/b?c=d')
  assert.match(headers.get('cache-control')!, /^max-age=\d+$/)

  const more = { status_code: 302, preserve_path: false, preserve_query_string: false }
  await redirect(domain, 'elsewhere.example', more)
  await untilLeadsTo('acme.test', 'https://elsewhere.example/')
  const changed = await visit(server, 'GET /a/b?c=d', 'acme.test')
  assert.equal(changed.status, 302)
  assert.equal(changed.headers.get('location'), 'https://elsewhere.example/')

  await client.delete(`/domains/${domain.domain_id}/redirect`)
  await untilLeadsTo('acme.test', undefined)
  await until(
    () => addressesOf('acme.test'),
    ({ length }) => length === 0,
  )
  await until(
    () => addressesOf('www.acme.test'),
    ({ length }) => length === 0,
  )
  const seen = (await client.get(`/domains/${domain.domain_id}`)).body
  assert.equal(seen.status, 'ACTIVE')
  assert.deepEqual(seen.sending, { allowed: true, reason: null })
})

test('a domain that is removed leads nowhere, and its redirect is gone with it', async () => {
  const domain = await client.addActive('leaving.test')
  await redirect(domain, 'company.example')
  await untilLeadsTo('leaving.test', 'https://company.example/')
  await client.delete(`/domains/${domain.domain_id}`)
  await untilLeadsTo('leaving.test', undefined)
  await until(
    () => addressesOf('leaving.test'),
    ({ length }) => length === 0,
  )
})

test("a redirect goes with the name's holder", async () => {
  const name = 'moving.test'
  const domain = await client.addActive(name)
  await redirect(domain, 'former.example')
  await untilLeadsTo(name, 'https://former.example/')
  const other = await house.clientOf({ workspace: anotherWorkspace() })
  const { body: theirs } = await other.post('/domains', { domain: name, import_records: false })
  const claimed = await other.untilDomain(
    theirs.domain_id,
    ({ nameservers }) => nameservers.length > 0,
  )
  await other.delegate(name, claimed.nameservers)
  await other.untilDomain(theirs.domain_id, ({ status }) => status === 'ACTIVE')
  await untilLeadsTo(name, undefined)
  const mine = (await client.get(`/domains/${domain.domain_id}/redirect`)).body
  assert.equal(mine.is_active, false)
  await other.post(`/domains/${theirs.domain_id}/redirect`, { target_domain: 'new.example' })
  await untilLeadsTo(name, 'https://new.example/')
})

test('what somebody else put at the name stays, and the mail of the domain with it', async () => {
  // The answer waits in vain for what is not to come.
  const domain = await client.addActive('taken.test')
  const { zone } = await house.store.db
    .selectFrom('zones')
    .select(['claim_id as zone', 'rrsets'])
    .where('name', '=', 'taken.test')
    .executeTakeFirstOrThrow()
  const { rrsets } = await house.store.db
    .selectFrom('zones')
    .select('rrsets')
    .where('claim_id', '=', zone)
    .executeTakeFirstOrThrow()
  const theirs = [
    { name: 'taken.test.', type: 'A', ttl: 300, data: ['127.0.0.4'] },
    { name: 'www.taken.test.', type: 'CNAME', ttl: 300, data: ['taken.test.'] },
  ]
  await house.store.db
    .updateTable('zones')
    .set({ rrsets: JSON.stringify([...rrsets, ...theirs]) as never })
    .where('claim_id', '=', zone)
    .execute()
  const { status, body } = await redirect(domain, 'company.example')
  assert.equal(status, 200)
  assert.equal(body.setup_completed, false)
  const seen = (await client.get(`/domains/${domain.domain_id}`)).body
  assert.equal(seen.status, 'ACTIVE')
  assert.ok(seen.conditions.every((each: Json) => each.status === 'met'))
  const after = await house.store.db
    .selectFrom('zones')
    .select('rrsets')
    .where('claim_id', '=', zone)
    .executeTakeFirstOrThrow()
  for (const rrset of theirs) {
    assert.deepEqual(
      after.rrsets.find(({ name, type }) => name === rrset.name && type === rrset.type),
      rrset,
    )
  }
})

// biome-ignore format: a table
const METHODS: readonly [code: number, method: string, status: number][] = [
  [301, 'GET',     301], [301, 'HEAD',    301], [301, 'POST',    405], [301, 'PUT', 405], [301, 'OPTIONS', 405],
  [302, 'GET',     302], [302, 'HEAD',    302], [302, 'DELETE',  405],
  [307, 'GET',     307], [307, 'HEAD',    307], [307, 'POST',    307], [307, 'PUT', 307],
  [308, 'GET',     308], [308, 'POST',    308], [308, 'DELETE',  308],
]

test('codes that keep the method answer any, the others GET and HEAD', async () => {
  const domain = await client.addActive('method.test')
  for (const [code, method, expected] of METHODS) {
    const location = `https://code${code}.example/`
    await redirect(domain, `code${code}.example`, { status_code: code })
    await untilLeadsTo('method.test', location)
    const body = method === 'POST' || method === 'PUT' ? 'Content-Length: 5\r\n' : ''
    const { status, headers } = await visit(server, `${method} /`, 'method.test', body)
    assert.equal(status, expected, `${code} ${method}`)
    assert.equal(headers.get('location'), status === 405 ? undefined : location)
    assert.equal(headers.get('allow'), status === 405 ? 'GET, HEAD' : undefined)
  }
})

// biome-ignore format: a table
const HOSTILE: readonly string[] = [
  '//evil.test', '///evil.test/', '/\\evil.test', '/\\/evil.test', '/@evil.test', '/.evil.test', '/:80@evil.test',
  '/%0d%0aSet-Cookie:%20x=1', '/%0aLocation:%20https://evil.test', '/%00', '/%5c%5cevil.test', '/..//evil.test',
  '/?next=//evil.test', '/?@evil.test', '/#@evil.test', '/a"><script>alert(1)</script>', '/\xe9vil', '/https://evil.test',
  'http://hostile.test//evil.test', 'http://hostile.test?@evil.test', 'http://hostile.test:80/\\evil.test',
]

/** What is no request at all, and what leads to no name of ours. */
// biome-ignore format: a table
const REFUSED: readonly [what: string, octets: string, status: number][] = [
  ['a path without a slash',    'GET @evil.test HTTP/1.1\r\nHost: hostile.test\r\nConnection: close\r\n\r\n',                              400],
  ['a header of its own',       'GET / HTTP/1.1\r\nHost: hostile.test\r\nX: a\rLocation: b\r\nConnection: close\r\n\r\n',                  400],
  ['no Host',                   'GET / HTTP/1.1\r\nConnection: close\r\n\r\n',                                                             400],
  ['two Hosts',                 'GET / HTTP/1.1\r\nHost: hostile.test\r\nHost: evil.test\r\nConnection: close\r\n\r\n',                    400],
  ['an unknown host',           'GET / HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n',                                          404],
  ['an address',                'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n',                                          404],
  ['a host below ours',         'GET / HTTP/1.1\r\nHost: a.hostile.test\r\nConnection: close\r\n\r\n',                                     404],
  ['a host with a user',        'GET / HTTP/1.1\r\nHost: hostile.test@evil.test\r\nConnection: close\r\n\r\n',                             404],
  ['a whole URL elsewhere',     'GET http://evil.test/ HTTP/1.1\r\nHost: hostile.test\r\nConnection: close\r\n\r\n',                       404],
  ['a user in the URL',         'GET http://hostile.test@evil.test/ HTTP/1.1\r\nHost: hostile.test\r\nConnection: close\r\n\r\n',          400],
  ['headers beyond the limit',  `GET / HTTP/1.1\r\nHost: hostile.test\r\nX: ${'a'.repeat(9000)}\r\nConnection: close\r\n\r\n`,             431],
  ['not HTTP',                  'HELO evil.test\r\n\r\n',                                                                                  400],
]

test('whatever is asked for, the host that answers it is the target', async () => {
  const domain = await client.addActive('hostile.test')
  await redirect(domain, 'company.example')
  await untilLeadsTo('hostile.test', 'https://company.example/')
  for (const path of HOSTILE) {
    const { status, headers } = await visit(server, `GET ${path}`, 'hostile.test')
    if (status === 400) continue
    assert.equal(status, 301, path)
    assert.equal(headers.get('set-cookie'), undefined)
    const { protocol, host, username } = new URL(headers.get('location')!)
    assert.deepEqual([protocol, host, username], ['https:', 'company.example', ''], path)
  }
  for (const [what, octets, expected] of REFUSED) {
    const { status, headers } = await exchange(server, octets)
    assert.equal(status, expected, what)
    assert.equal(headers.get('location'), undefined, what)
  }
})

test('while the database is away, known names go on, and changes are followed when it is back', async () => {
  await using directory = await temporaryDirectory()
  const options = { dataDir: `${directory.path}/server`, onLog: () => undefined }
  const postgres = await startPostgres(options)
  const { host, port, user, password, database } = postgres.connection
  const url = `postgres://${user}:${encodeURIComponent(password)}@/${database}?${new URLSearchParams({ host, port: String(port) })}`
  await using away = await testHouse({
    DATABASE_URL: url,
    MAILSTEAD_REDIRECT_LISTEN: '127.0.0.1:0',
  })
  const { domain_id } = await away.client.addActive('steady.test')
  const path = `/domains/${domain_id}/redirect`
  await away.client.post(path, { target_domain: 'company.example' })
  const steady = () => leadsTo(away.house.redirect[0]!, 'steady.test')
  await until(steady, (location) => location === 'https://company.example/', FOLLOWED_MS)

  await postgres[Symbol.asyncDispose]()
  assert.equal((await away.client.get(path)).status, 503)
  assert.equal(await steady(), 'https://company.example/')
  assert.equal(await leadsTo(away.house.redirect[0]!, 'unheard-of.test'), undefined)

  await using _back = await startPostgres(options)
  await until(
    async () => (await away.client.post(path, { target_domain: 'back.example' })).status,
    (status) => status === 200,
  )
  await until(steady, (location) => location === 'https://back.example/', 3 * FOLLOWED_MS)
})

test('a process of its own answers, and leaves all else to others', async () => {
  await using rest = await testHouse({ MAILSTEAD_REDIRECT_ADDRESSES: '203.0.113.80' })
  await using directory = await temporaryDirectory()
  const listen = `127.0.0.1:${await freePort()}`
  await using _role = await startProduct({
    dataDir: directory.path,
    settings: {
      DATABASE_URL: rest.database.url,
      MAILSTEAD_ROLES: 'redirect',
      MAILSTEAD_REDIRECT_LISTEN: listen,
    },
  })
  assert.equal(_role.client.base, '')
  const { domain_id } = await rest.client.addActive('apart.test')
  const path = `/domains/${domain_id}/redirect`
  const { body } = await rest.client.post(path, { target_domain: 'company.example' })
  assert.equal(body.setup_completed, true)
  await until(
    () => leadsTo(listen, 'apart.test', '/a'),
    (location) => location === 'https://company.example/a',
    FOLLOWED_MS,
  )
})
