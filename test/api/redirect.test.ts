import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { leadsTo } from '../redirect.ts'
import { hasFields, isInstant, refuses, tally, UNKNOWN_ID, violates } from './expect.ts'

const house = await testHouse({ MAILSTEAD_REDIRECT_LISTEN: '127.0.0.1:0' })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const ANSWER = `redirect_id source_domain target_domain status_code preserve_path
  preserve_query_string is_active setup_completed created_at`

const pathOf = ({ domain_id }: Json): string => `/domains/${domain_id}/redirect`
const put = (domain: Json, target_domain: Json, more: object = {}) =>
  client.post(pathOf(domain), { target_domain, ...more })

const domain = await client.addActive('acme.test')

test('a domain without a redirect says so', async () => {
  refuses(await client.get(pathOf(domain)), 404, 'redirect_not_found')
  refuses(await client.delete(pathOf(domain)), 404, 'redirect_not_found')
})

test('a redirect is made with the defaults of the original, and read again', async () => {
  const { status, body } = await put(domain, 'YourCompany.com.')
  assert.equal(status, 200)
  hasFields(body, ANSWER)
  const { redirect_id, created_at, ...rest } = body
  assert.match(redirect_id, /^[0-9a-f-]{36}$/)
  isInstant(created_at)
  assert.deepEqual(rest, {
    source_domain: 'acme.test',
    target_domain: 'yourcompany.com',
    status_code: 301,
    preserve_path: true,
    preserve_query_string: true,
    is_active: true,
    setup_completed: true,
  })
  assert.deepEqual((await client.get(pathOf(domain))).body, body)
})

test('making it again changes it: the same redirect, with what was said last', async () => {
  const before = (await client.get(pathOf(domain))).body
  const more = { status_code: 307, preserve_path: false, preserve_query_string: false }
  const { status, body } = await put(domain, 'other.example', more)
  assert.equal(status, 200)
  assert.deepEqual(body, { ...before, target_domain: 'other.example', ...more })
  const defaults = (await put(domain, 'other.example')).body
  assert.deepEqual(
    [defaults.status_code, defaults.preserve_path, defaults.preserve_query_string],
    [301, true, true],
  )
})

test('its records are among those of the domain', async () => {
  const { dns_records } = (await client.get(`/domains/${domain.domain_id}`)).body
  const ours = dns_records.filter(({ purpose }: Json) => purpose === 'redirect')
  assert.deepEqual(
    ours.map(({ name, type, value, status }: Json) => [name, type, value, status]).toSorted(),
    [
      ['acme.test', 'A', '127.0.0.1', 'published'],
      ['www.acme.test', 'A', '127.0.0.1', 'published'],
    ],
  )
})

test('deleting it answers with the envelope, and once', async () => {
  const { status, body } = await client.delete(pathOf(domain))
  assert.equal(status, 200)
  hasFields(body, 'success message')
  assert.equal(body.success, true)
  refuses(await client.delete(pathOf(domain)), 404, 'redirect_not_found')
  const seen = await client.untilDomain(
    domain.domain_id,
    ({ dns_records }) => !dns_records.some(({ purpose }: Json) => purpose === 'redirect'),
  )
  assert.equal(seen.status, 'ACTIVE')
})

test('mail is not proven anew because of a redirect', async () => {
  const probes = () => store.db.selectFrom('probes').select('id').execute()
  const before = await probes()
  await put(domain, 'other.example')
  await client.delete(pathOf(domain))
  assert.deepEqual(await probes(), before)
})

// biome-ignore format: a table
const WRONG: readonly [what: string, body: Json, field: string, type: string][] = [
  ['no target',            {},                                                'target_domain', 'value_error.missing'],
  ['an empty target',      { target_domain: '' },                             'target_domain', 'value_error.any_str.min_length'],
  ['a number',             { target_domain: 7 },                              'target_domain', 'type_error.str'],
  ['an unheard-of code',   { target_domain: 'a.example', status_code: 303 },  'status_code',   'type_error.enum'],
  ['a code in words',      { target_domain: 'a.example', status_code: '301' }, 'status_code',  'type_error.enum'],
  ['a path that is 1',     { target_domain: 'a.example', preserve_path: 1 },  'preserve_path', 'type_error.bool'],
  ['a query that is null', { target_domain: 'a.example', preserve_query_string: null }, 'preserve_query_string', 'type_error.bool'],
]

test('a body that is not valid is refused at the field', async () => {
  for (const [what, body, field, type] of WRONG) {
    const answer = await client.post(pathOf(domain), body)
    assert.equal(answer.status, 422, what)
    violates(answer, ['body', field], type)
  }
})

// biome-ignore format: a table
const NO_HOSTS: readonly string[] = [
  'localhost', 'com', 'co.uk', '127.0.0.1', '[::1]', '2130706433', '0x7f.1', 'a..example', '.a.example', '-a.example', 'a_b.example',
  'https://a.example', '//a.example', 'a.example/', 'a.example/path', 'a.example?q', 'a.example#f', 'a.example:8080', 'kim@a.example',
  'a.example@evil.example', 'a.example\\evil.example', 'a.example evil.example', 'a.example\r\nSet-Cookie: x=1', 'a.example\0', '*.a.example',
  'a.example,evil.example', 'javascript:alert(1)', 'a%2eexample', '$x.example', `${'a'.repeat(64)}.example`,
]

test('a target that is not a host name is refused', async () => {
  for (const target of NO_HOSTS) {
    const answer = await put(domain, target)
    assert.equal(answer.status, 422, `${target}: ${JSON.stringify(answer.body)}`)
    assert.deepEqual(answer.body.detail[0].loc, ['body', 'target_domain'])
  }
  refuses(await client.get(pathOf(domain)), 404, 'redirect_not_found')
})

test('the domain itself is no target, nor www below it', async () => {
  for (const target of ['acme.test', 'ACME.test.', 'www.acme.test']) {
    violates(await put(domain, target), ['body', 'target_domain'], 'value_error.redirect_loop')
  }
  assert.equal((await put(domain, 'shop.acme.test')).status, 200)
  await client.delete(pathOf(domain))
})

test('a redirect that leads back is refused, over however many others', async () => {
  const [one, two, three] = [
    await client.addActive('one.test'),
    await client.addActive('two.test'),
    await client.addActive('three.test'),
  ]
  assert.equal((await put(one, 'two.test')).status, 200)
  violates(await put(two, 'one.test'), ['body', 'target_domain'], 'value_error.redirect_loop')
  assert.equal((await put(two, 'www.three.test')).status, 200)
  for (const target of ['one.test', 'www.one.test', 'two.test', 'www.two.test'])
    violates(await put(three, target), ['body', 'target_domain'], 'value_error.redirect_loop')
  assert.equal((await put(three, 'end.example')).status, 200)
  // What stands may be said again, and a way that is cut leads nowhere.
  assert.equal((await put(one, 'two.test')).status, 200)
  await client.delete(pathOf(two))
  assert.equal((await put(three, 'one.test')).status, 200)
})

test('of two redirects at each other, made at once, one is refused', async () => {
  const [left, right] = [await client.addActive('left.test'), await client.addActive('right.test')]
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all([put(left, 'right.test'), put(right, 'left.test')])
    assert.deepEqual(tally(answers), { 200: 1, 422: 1 })
    await Promise.all([client.delete(pathOf(left)), client.delete(pathOf(right))])
  }
})

test('more than ten redirects in a row are refused', async () => {
  const names = Array.from({ length: 11 }, (_, index) => `hop${index}.test`)
  const hops = await Promise.all(names.map((name) => client.addActive(name)))
  assert.equal((await put(hops[10], 'end.example')).status, 200)
  for (let hop = 9; hop > 0; hop--) assert.equal((await put(hops[hop], names[hop + 1])).status, 200)
  violates(await put(hops[0], names[1]), ['body', 'target_domain'], 'value_error.redirect_loop')
  assert.equal((await put(hops[0], names[2])).status, 200)
})

test('a domain that is not active cannot be redirected', async () => {
  const { body } = await client.post('/domains', { domain: 'early.test' })
  const answer = await put(body, 'a.example')
  refuses(answer, 409, 'domain_not_active')
  assert.equal(answer.body.domain_status, body.status)
})

test("an unknown domain and another workspace's answer alike", async () => {
  const stranger = await house.clientOf({ workspace: crypto.randomUUID() })
  for (const path of [pathOf(domain), pathOf({ domain_id: UNKNOWN_ID })]) {
    refuses(await stranger.get(path), 404, 'domain_not_found')
    refuses(await stranger.post(path, { target_domain: 'a.example' }), 404, 'domain_not_found')
    refuses(await stranger.delete(path), 404, 'domain_not_found')
  }
})

test('without a server for redirects, there are none: 409, whatever else holds', async () => {
  await using plain = await testHouse({ MAILSTEAD_ROLES: 'api,worker,dns,smtp' })
  const active = await plain.client.addActive('plain.test')
  const answer = await plain.client.post(pathOf(active), { target_domain: 'a.example' })
  refuses(answer, 409, 'redirects_not_configured')
  refuses(await plain.client.get(pathOf(active)), 404, 'redirect_not_found')
})

test('in the sandbox they work without a setting', async () => {
  await using plain = await testHouse()
  const active = await plain.client.addActive('unset.test')
  const { status } = await plain.client.post(pathOf(active), { target_domain: 'a.example' })
  assert.equal(status, 200)
  const [server] = plain.house.redirect
  assert.match(server!, /^127\.0\.0\.1:\d+$/)
  const location = await until(
    () => leadsTo(server!, 'unset.test', '/path'),
    (seen) => seen !== undefined,
  )
  assert.equal(location, 'https://a.example/path')
})
