import assert from 'node:assert/strict'
import { test } from 'node:test'
import Cloudflare from 'cloudflare'
import { ask } from '../../test/dns.ts'
import { exchange, visit } from '../../test/redirect.ts'
import { type CloudflareEmulatorOptions, startCloudflareEmulator } from './emulator.ts'

const PHASE = 'http_request_dynamic_redirect'

/** A zone in the emulator, the official SDK to fill it with, and a visitor. */
async function bench(options: CloudflareEmulatorOptions = {}) {
  const emulator = await startCloudflareEmulator(options)
  const { apiUrl: baseURL, apiToken, edge, dns } = emulator
  const sdk = new Cloudflare({ apiToken, baseURL, maxRetries: 0 })
  const account = { id: emulator.accountId }
  const { id: zone_id } = await sdk.zones.create({ account, name: 'acme.test', type: 'full' })
  emulator.activate('acme.test')
  const edgeAt = `${edge.address}:${edge.port}`
  return {
    emulator,
    sdk,
    zone_id,
    edgeAt,
    add: (name: string, more: object = {}) =>
      sdk.dns.records.create({ zone_id, type: 'A', name, content: ORIGIN, ttl: 1, ...more }),
    rule: (...rules: ReturnType<typeof rule>[]) =>
      sdk.rulesets.phases.update(PHASE, { zone_id, rules }),
    told: async (name: string, type: Parameters<typeof ask>[2] = 'A') =>
      (await ask(`${dns.address}:${dns.port}`, name, type)).answers.map(({ data, ttl }) => [
        data,
        ttl,
      ]),
    seen: async (host: string, path = '/') => {
      const { status, headers } = await visit(edgeAt, `GET ${path}`, host)
      return [status, headers.get('location')]
    },
    refusal: async (host: string) => {
      const { status, headers, body } = await visit(edgeAt, 'GET /', host)
      assert.equal(headers.get('location'), undefined)
      return [status, body.trim()]
    },
    [Symbol.asyncDispose]: () => emulator[Symbol.asyncDispose](),
  }
}

const ORIGIN = '192.0.2.1'
const PROXIED = { proxied: true }
const KEEPS_PATH = { expression: 'concat("https://new.test", http.request.uri.path)' }
const TO_NEW = { value: 'https://new.test/' }

const rule = (
  expression: string,
  target_url: { value: string } | { expression: string } = TO_NEW,
  { status_code = 301 as 301 | 302 | 308, preserve_query_string = false, enabled = true } = {},
) => {
  const from_value = { status_code, target_url, preserve_query_string }
  return { action: 'redirect' as const, expression, enabled, action_parameters: { from_value } }
}

// What the DNS says.

test('a proxied name is told as the edge, and one that is not as its record', async () => {
  await using it = await bench({ edgeAddress: '127.0.0.3' })
  await it.add('www', PROXIED)
  await it.add('direct')
  assert.deepEqual(await it.told('www.acme.test'), [['127.0.0.3', 300]])
  assert.deepEqual(await it.told('direct.acme.test'), [[ORIGIN, 300]])
  assert.equal(it.emulator.edge.address, '127.0.0.3')
})

test('whatever the type of a proxied record, its name has an A record and no other', async () => {
  await using it = await bench()
  await it.add('six', { ...PROXIED, type: 'AAAA', content: '100::' })
  await it.add('alias', { ...PROXIED, type: 'CNAME', content: 'host.other.test' })
  for (const name of ['six.acme.test', 'alias.acme.test']) {
    assert.deepEqual(await it.told(name), [['127.0.0.1', 300]])
    assert.deepEqual(await it.told(name, 'AAAA'), [])
    assert.deepEqual(await it.told(name, 'CNAME'), [])
  }
})

test('one proxied record makes all addresses of its name proxied, and other types are told', async () => {
  await using it = await bench()
  await it.add('@', PROXIED)
  await it.add('@', { content: '192.0.2.2', ttl: 60 })
  await it.add('@', { type: 'AAAA', content: '2001:db8::1', ttl: 60 })
  await it.add('@', { type: 'MX', content: 'mx.other.test', priority: 10, ttl: 60 })
  assert.deepEqual(await it.told('acme.test'), [['127.0.0.1', 300]])
  assert.deepEqual(await it.told('acme.test', 'AAAA'), [])
  assert.deepEqual(await it.told('acme.test', 'MX'), [
    [{ preference: 10, exchange: 'mx.other.test' }, 60],
  ])
})

test('a record that is no longer proxied is told, and its visitors are served no more', async () => {
  await using it = await bench()
  const { id } = await it.add('www', PROXIED)
  await it.rule(rule('http.host eq "www.acme.test"'))
  const { zone_id } = it
  const patch = { zone_id, type: 'A', name: 'www', content: ORIGIN, ttl: 60, proxied: false }
  await it.sdk.dns.records.edit(id, { ...patch, type: 'A' })
  assert.deepEqual(await it.told('www.acme.test'), [[ORIGIN, 60]])
  assert.deepEqual(await it.seen('www.acme.test'), [409, undefined])
})

test('nothing of a zone is proxied but while it is active', async () => {
  await using it = await bench()
  await it.add('www', PROXIED)
  await it.rule(rule('http.host eq "www.acme.test"'))
  it.emulator.move('acme.test')
  assert.deepEqual(await it.told('www.acme.test'), [[ORIGIN, 300]])
  assert.deepEqual(await it.seen('www.acme.test'), [409, undefined])
})

test('the edge is told by its IPv4 address, so that it can have no other', async () => {
  await assert.rejects(bench({ edgeAddress: '::1' }), /IPv4/)
})

// What visitors meet.

test('a rule for one host leads its visitors, however they write it', async () => {
  await using it = await bench()
  await it.add('www', PROXIED)
  for (const expression of ['http.host eq "www.acme.test"', '(http.host eq "www.acme.test")']) {
    await it.rule(rule(expression))
    for (const host of ['www.acme.test', 'WWW.Acme.test', 'www.acme.test.', 'www.acme.test:8080']) {
      assert.deepEqual(await it.seen(host), [301, 'https://new.test/'])
    }
  }
})

test('a rule for several hosts leads each of them, and no other', async () => {
  await using it = await bench()
  await it.add('@', PROXIED)
  await it.add('www', PROXIED)
  await it.add('shop', PROXIED)
  const list = 'http.host in {"acme.test" "www.acme.test"}'
  for (const expression of [list, `(${list})`, list.replace('" "', '" "other.test" "')]) {
    await it.rule(rule(expression, TO_NEW, { status_code: 302 }))
    assert.deepEqual(await it.seen('acme.test'), [302, 'https://new.test/'])
    assert.deepEqual(await it.seen('www.acme.test'), [302, 'https://new.test/'])
    assert.deepEqual(await it.seen('shop.acme.test'), [522, undefined])
  }
})

test('path and query are kept where the rule says so', async () => {
  await using it = await bench()
  await it.add('www', PROXIED)
  const keeps = { preserve_query_string: true }
  const rows = [
    [TO_NEW, {}, '/a/b?c=d', 'https://new.test/'],
    [TO_NEW, keeps, '/a/b?c=d', 'https://new.test/?c=d'],
    [KEEPS_PATH, {}, '/a/b?c=d', 'https://new.test/a/b'],
    [KEEPS_PATH, keeps, '/a/b?c=d?e', 'https://new.test/a/b?c=d?e'],
    [KEEPS_PATH, keeps, '/a/b', 'https://new.test/a/b'],
    [KEEPS_PATH, keeps, '/a/b?', 'https://new.test/a/b'],
    [KEEPS_PATH, keeps, '//evil.test/x', 'https://new.test//evil.test/x'],
    [{ value: 'https://new.test/?own=1' }, keeps, '/a?c=d', 'https://new.test/?own=1'],
  ] as const
  for (const [target, options, path, location] of rows) {
    await it.rule(rule('http.host eq "www.acme.test"', target, options))
    assert.deepEqual(await it.seen('www.acme.test', path), [301, location])
  }
})

test('the first rule that matches leads, and one that is disabled does not', async () => {
  await using it = await bench()
  await it.add('www', PROXIED)
  const host = 'http.host eq "www.acme.test"'
  const [off, other] = [{ enabled: false }, 'http.host eq "other.acme.test"']
  await it.rule(
    rule(host, { value: 'https://disabled.test/' }, off),
    rule('http.host contains "acme"', { value: 'https://disabled.test/' }, off),
    rule(other, { value: 'https://other.test/' }),
    rule(host, { value: 'https://first.test/' }, { status_code: 308 }),
    rule(host, { value: 'https://second.test/' }),
    rule('http.host contains "acme"'),
  )
  assert.deepEqual(await it.seen('www.acme.test'), [308, 'https://first.test/'])
})

test('the wildcard leads where the DNS finds it', async () => {
  await using it = await bench()
  await it.add('*', PROXIED)
  await it.add('direct')
  await it.rule(rule('http.host in {"any.acme.test" "a.b.acme.test" "direct.acme.test"}'))
  for (const host of ['any.acme.test', 'a.b.acme.test']) {
    assert.deepEqual(await it.told(host), [['127.0.0.1', 300]])
    assert.deepEqual(await it.seen(host), [301, 'https://new.test/'])
  }
  for (const host of ['direct.acme.test', 'a.direct.acme.test', 'acme.test']) {
    assert.deepEqual(await it.seen(host), [409, undefined])
  }
})

test('of two zones the closest one leads', async () => {
  await using it = await bench({ subdomains: true })
  await it.add('www.shop', PROXIED)
  await it.rule(rule('http.host eq "www.shop.acme.test"'))
  assert.deepEqual(await it.seen('www.shop.acme.test'), [301, 'https://new.test/'])
  const account = { id: it.emulator.accountId }
  await it.sdk.zones.create({ account, name: 'shop.acme.test', type: 'full' })
  it.emulator.activate('shop.acme.test')
  assert.deepEqual(await it.seen('www.shop.acme.test'), [409, undefined])
})

// Who is led nowhere.

test('a host that nobody holds, or without a proxied record, is refused', async () => {
  await using it = await bench()
  await it.add('www', PROXIED)
  await it.add('direct')
  await it.add('text', { type: 'TXT', content: '"x"' })
  const names = ['direct', 'text', 'nothing', 'below.www'].map((name) => `${name}.acme.test`)
  names.push('acme.test', 'other.test', 'wwwacme.test', '127.0.0.1', 'test')
  await it.rule(rule(`http.host in {${names.map((name) => `"${name}"`).join(' ')}}`))
  const hosts = [...names, '[::1]:80', 'www.acme.test..', '..', 'a b', '']
  for (const host of hosts) {
    const [status, sentence] = await it.refusal(host)
    assert.equal(status, 409, host)
    assert.match(String(sentence), /^No proxied record leads .* here\.$/)
  }
})

test('without a rule for it, a host has no origin to be served from', async () => {
  await using it = await bench()
  await it.add('www', PROXIED)
  const expected = [522, 'No rule leads www.acme.test on, and there is no origin.']
  assert.deepEqual(await it.refusal('www.acme.test'), expected)
  await it.rule(rule('http.host eq "acme.test"'))
  assert.deepEqual(await it.refusal('www.acme.test'), expected)
  await it.rule()
  assert.deepEqual(await it.refusal('www.acme.test'), expected)
})

test('an expression that is not read is said to be so, whatever stands behind it', async () => {
  await using it = await bench()
  await it.add('www', PROXIED)
  const expressions = [
    'true',
    'http.host contains "acme"',
    'http.host eq "www.acme.test" or true',
    '((http.host eq "www.acme.test"))',
    '(http.host eq "www.acme.test"',
    'http.host eq "www.acme.test")',
    'http.host  eq "www.acme.test"',
    'http.host eq "WWW.acme.test"',
    'http.host eq "*.acme.test"',
    'http.host eq "www.acme.test."',
    'http.host eq ""',
    'http.host == "www.acme.test"',
    'not http.host eq "www.acme.test"',
    'http.host in {}',
    'http.host in {"www.acme.test", "acme.test"}',
    'http.host in {"www.acme.test"',
    'http.host in "www.acme.test"',
    'http.host eq "www.acme.test"\n',
  ]
  for (const expression of expressions) {
    await it.rule(rule(expression), rule('http.host eq "www.acme.test"'))
    const [status, sentence] = await it.refusal('www.acme.test')
    assert.equal(status, 501, expression)
    assert.match(String(sentence), /not emulated: the expression/)
  }
})

test('a target that is not read is said to be so, once its rule matches', async () => {
  await using it = await bench()
  await it.add('www', PROXIED)
  await it.add('shop', PROXIED)
  const targets = [
    { expression: 'concat("https://new.test",http.request.uri.path)' },
    { expression: 'concat("http://new.test", http.request.uri.path)' },
    { expression: 'concat("https://new.test/", http.request.uri.path)' },
    { expression: 'concat("https://new.test", http.request.uri)' },
    { expression: '"https://new.test/"' },
    { value: '/relative' },
    { value: 'https://new.test/#fragment' },
    { value: 'https://new.test/\r\nset-cookie: a=b' },
    { value: 'https://b\u00fcro.test/' },
    { value: 'https://\u4f8b.test/' },
  ]
  for (const target of targets) {
    await it.rule(rule('http.host eq "www.acme.test"', target))
    const [status, sentence] = await it.refusal('www.acme.test')
    assert.equal(status, 501, JSON.stringify(target))
    assert.match(String(sentence), /not emulated: the target/)
    assert.deepEqual(await it.seen('shop.acme.test'), [522, undefined])
  }
})

test('a request that names no single host, or no path, is refused', async () => {
  await using it = await bench()
  await it.add('www', PROXIED)
  await it.rule(rule('http.host eq "www.acme.test"'))
  const requests = [
    'GET / HTTP/1.1\r\nConnection: close\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: www.acme.test\r\nHost: other.test\r\nConnection: close\r\n\r\n',
    'GET http://www.acme.test/ HTTP/1.1\r\nHost: www.acme.test\r\nConnection: close\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: www.acme.test\r\nConnection: close\r\n\r\n',
  ]
  for (const request of requests) {
    assert.equal((await exchange(it.edgeAt, request)).status, 400, request)
  }
  assert.deepEqual(await it.seen('www.acme.test'), [301, 'https://new.test/'])
})

test('a zone that is gone leads nobody, and an emulator that is closed serves nobody', async () => {
  const it = await bench()
  await it.add('www', PROXIED)
  await it.rule(rule('http.host eq "www.acme.test"'))
  await it.sdk.zones.delete({ zone_id: it.zone_id })
  assert.deepEqual(await it.seen('www.acme.test'), [409, undefined])
  assert.deepEqual(it.emulator.holdings(), { zones: [], records: 0 })
  await it[Symbol.asyncDispose]()
  await assert.rejects(it.seen('www.acme.test'), { code: 'ECONNREFUSED' })
})

// Who may not touch the rules.

test('without a right on rules every call on them is refused, while records go on', async () => {
  await using it = await bench()
  const { sdk, zone_id } = it
  await it.add('www', PROXIED)
  const ours = rule('http.host eq "www.acme.test"')
  const made = (await it.rule(ours)) as { id: string; rules: { id: string }[] }
  const [ruleset_id, rule_id] = [made.id, made.rules[0]!.id]
  it.emulator.forbidRedirects()
  const calls = [
    () => sdk.rulesets.phases.get(PHASE, { zone_id }),
    () => it.rule(),
    () => sdk.rulesets.rules.create(ruleset_id, { zone_id, ...ours }),
    () => sdk.rulesets.rules.edit(rule_id, { zone_id, ruleset_id, ...ours }),
    () => sdk.rulesets.rules.delete(rule_id, { zone_id, ruleset_id }),
  ]
  for (const call of calls) {
    await assert.rejects(call(), (error) => {
      assert.ok(error instanceof Cloudflare.PermissionDeniedError)
      assert.deepEqual(error.errors, [{ code: 10000, message: 'Authentication error' }])
      return true
    })
  }
  await it.add('new')
  assert.deepEqual(await it.told('new.acme.test'), [[ORIGIN, 300]])
  assert.equal((await sdk.zones.get({ zone_id })).name, 'acme.test')
  assert.deepEqual(await it.seen('www.acme.test'), [301, 'https://new.test/'])
  it.emulator.allowRedirects()
  assert.deepEqual(await sdk.rulesets.phases.get(PHASE, { zone_id }), made)
})

test('a token without rights on zones is refused as such, whatever it may do with rules', async () => {
  await using it = await bench()
  it.emulator.forbid()
  it.emulator.forbidRedirects()
  const { zone_id } = it
  const asked = () => it.sdk.rulesets.phases.get(PHASE, { zone_id })
  await assert.rejects(asked(), /9109/)
  it.emulator.allow()
  await assert.rejects(asked(), /10000/)
})
