import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Json } from '../client.ts'
import { testHouse } from '../house.ts'
import { isNotOurFault, refuses, troubleIn, UNKNOWN_ID, violates } from './expect.ts'
import { OPERATIONS } from './operations.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house
const DOMAINS = '/api/public/v1/domains'

const listWith = (headers: Record<string, string>) =>
  client.request('GET', DOMAINS, undefined, headers)
const postAs = (contentType: string, body: string) =>
  client.request('POST', DOMAINS, body, { 'content-type': contentType })

// --- Paths and methods

// biome-ignore format: a table
const NOWHERE: readonly [method: string, path: string][] = [
  ['GET',    '/'],
  ['GET',    '/api'],
  ['GET',    '/api/public/v1'],
  ['GET',    '/api/public/v2/domains'],
  ['GET',    '/api/public/v1/domain'],
  ['GET',    `/api/public/v1/domains/${UNKNOWN_ID}/nothing`],
  ['GET',    '/api/sandbox/v1/nothing'],
  ['GET',    '/.env'],
  ['OPTIONS', DOMAINS],
]

for (const [method, path] of NOWHERE) {
  test(`an unknown path is not found, with a key or without: ${method} ${path}`, async () => {
    refuses(await client.request(method, path), 404, 'not_found')
    refuses(await client.request(method, path, undefined, { 'x-api-key': '' }), 404, 'not_found')
  })
}

test('a method that a path does not have is refused, and does no harm', async () => {
  const { body: added } = await client.post('/domains', { domain: 'methods.test' })
  const paths = OPERATIONS.map(({ path }) => path.replaceAll(/\{\w+\}/g, added.domain_id))
  for (const path of new Set(paths)) {
    const has = (method: string) =>
      OPERATIONS.some(
        (each) =>
          each.method === method &&
          new RegExp(`^${each.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
      )
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'PROPFIND']) {
      if (has(method)) continue
      const { status, body } = await client.request(method, `/api/public/v1${path}`, {})
      assert.ok([404, 405].includes(status), `${method} ${path}: ${status}`)
      assert.ok(['not_found', 'method_not_allowed'].includes(body.error))
    }
  }
  const { body: seen } = await client.get(`/domains/${added.domain_id}`)
  assert.equal(seen.status, 'DNS_PENDING')
})

test('HEAD answers as GET would, without its body, and does nothing', async () => {
  const { body: listed } = await client.get('/domains')
  for (const path of ['', `/${listed.domains[0].domain_id}`]) {
    const answer = await client.request('HEAD', `${DOMAINS}${path}`)
    assert.deepEqual([answer.status, answer.body], [200, undefined])
  }
  const onAction = await client.request(
    'HEAD',
    `${DOMAINS}/${listed.domains[0].domain_id}/activate`,
  )
  assert.equal(onAction.status, 404)
  assert.equal((await client.get('/domains')).body.pagination.total, 1)
})

// biome-ignore format: a table
const NOT_IDS = ['x', '1', 'null', 'undefined', '-1', '%20', '..%2f..', '%00', '%f0%9f%98%80', `${UNKNOWN_ID}0`, UNKNOWN_ID.replaceAll('-', ''), `{${UNKNOWN_ID}}`, "1'--"]

test('an id that is no UUID is a violation of the path, on every operation', async () => {
  for (const { method, path, body } of OPERATIONS.filter((each) => each.path.includes('{'))) {
    const field = path.includes('{inbox}') ? 'inbox_id' : 'domain_id'
    for (const id of NOT_IDS) {
      const at = `/api/public/v1${path.replace(/\{\w+\}/, id)}`
      violates(await client.request(method, at, body), ['path', field], 'value_error.uuid')
    }
  }
})

test('an id in capitals is the same id (RFC 9562 section 4)', async () => {
  const added = await client.addActive('capitals.test')
  const looked = (body: Json) => ({
    verified: body.cloudflare_verified,
    sending: body.sending,
    conditions: body.conditions.map((each: Json) => [each.type, each.status]),
  })
  const { body } = await client.get(`/domains/${added.domain_id.toUpperCase()}`)
  assert.deepEqual(looked(body), looked(added))
})

// --- X-Request-Id

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/

// biome-ignore format: a table
const KEPT = ['a', '0', 'order-4711', 'a.b_c:d-e', UNKNOWN_ID, 'x'.repeat(128)]
// biome-ignore format: a table
const REPLACED = ['', ' ', 'a b', 'a,b', 'a"b', '<b>', 'a/b', '{}', 'ü', 'x'.repeat(129), '$(id)', '%0a']

test("a caller's own well-formed request id is kept, and is in the log", async () => {
  for (const id of KEPT) {
    const { headers } = await listWith({ 'x-request-id': id })
    assert.equal(headers.get('x-request-id'), id)
    assert.ok(
      house.logLines.some((line) => JSON.parse(line).reqId === id),
      id,
    )
  }
})

test('a malformed request id is replaced by one of ours, and reaches no log', async () => {
  for (const id of REPLACED) {
    const { headers } = await listWith({ 'x-request-id': id })
    assert.match(headers.get('x-request-id')!, UUID, id)
    assert.ok(!house.logLines.some((line) => JSON.parse(line).reqId === id), id)
  }
})

test('every answer has a request id of its own, errors too', async () => {
  const answers = await Promise.all([
    client.get('/domains'),
    client.get('/domains/x'),
    client.get('/nothing'),
    client.post('/domains', '{'),
    client.request('GET', '/healthz'),
    client.request('GET', DOMAINS, undefined, { 'x-api-key': 'bad' }),
  ])
  const ids = answers.map(({ headers }) => headers.get('x-request-id') ?? '')
  for (const id of ids) assert.match(id, UUID)
  assert.equal(new Set(ids).size, ids.length)
})

// --- Bodies

// biome-ignore format: a table
const NOT_JSON = ['{', '{"domain":}', "{'domain':'acme.test'}", '{"domain":"acme.test",}', 'domain=acme.test', '{"domain":"acme.test"}}', '<domain/>', 'NaN', '\u0000', '// comment\n{}', '{"domain":"a\nb"}']

for (const body of NOT_JSON) {
  test(`a body that is not JSON is refused: ${JSON.stringify(body)}`, async () => {
    refuses(await client.post('/domains', body), 400, 'invalid_json')
  })
}

// biome-ignore format: a table
const NO_OBJECT: readonly [body: string, type: string][] = [
  ['',            'value_error.missing'],
  ['null',        'type_error.dict'],
  ['[]',          'type_error.dict'],
  ['[{"domain":"acme.test"}]', 'type_error.dict'],
  ['"acme.test"', 'type_error.dict'],
  ['1',           'type_error.dict'],
  ['true',        'type_error.dict'],
]

for (const [body, type] of NO_OBJECT) {
  test(`a body that is no object is a violation: ${JSON.stringify(body)}`, async () => {
    violates(await client.post('/domains', body), ['body'], type)
  })
}

test('a missing field is missing, and all violations are told at once', async () => {
  violates(await client.post('/domains', {}), ['body', 'domain'], 'value_error.missing')
  const { status, body } = await client.post('/sender-accounts/coldsend-native', {})
  assert.equal(status, 422)
  assert.deepEqual(
    body.detail.map(({ loc, type }: { loc: string[]; type: string }) => [loc.join('.'), type]),
    [
      ['body.domain_id', 'value_error.missing'],
      ['body.email_prefix', 'value_error.missing'],
      ['body.display_name', 'value_error.missing'],
    ],
  )
})

// biome-ignore format: a table
const IGNORED: readonly [what: string, name: string, fields: string][] = [
  ['unknown fields',              'unknown.test',   '"status":"ACTIVE","max_inboxes":9999,"workspace_id":"x"'],
  ['fields of later versions',    'later.test',     '"":1," ":2,"🙂":3'],
  ['names every object has',      'toString.test',  '"toString":1,"hasOwnProperty":2,"then":3,"toJSON":4'],
  ['a million octets of a field', 'large.test',     `"x":"${'a'.repeat(1_000_000)}"`],
  ['a hundred thousand levels',   'deep.test',      `"x":${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  ['numbers beyond all measure',  'numbers.test',   '"x":1e999,"y":-0,"z":123456789012345678901234567890'],
]

for (const [what, name, fields] of IGNORED) {
  test(`ignored in a body: ${what}`, async () => {
    const { status, body } = await client.post('/domains', `{"domain":"${name}",${fields}}`)
    assert.equal(status, 201, JSON.stringify(body))
    assert.equal(body.max_inboxes, 50)
    assert.notEqual(body.status, 'ACTIVE')
  })
}

test('of a field written twice, the last one counts', async () => {
  const { body } = await client.post('/domains', '{"domain":"first.test","domain":"last.test"}')
  assert.equal(body.domain_name, 'last.test')
  assert.equal((await client.get('/domains?search=first.test')).body.pagination.total, 0)
})

test('nobody reaches the prototype of all objects through a body', async () => {
  // biome-ignore format: a table
  const bodies = [
    '{"domain":"p1.test","__proto__":{"polluted":true}}',
    '{"domain":"p2.test","constructor":{"prototype":{"polluted":true}}}',
    '{"domain":"p3.test","\\u005f_proto__":{"polluted":true}}',
    '{"__proto__":{"domain":"p4.test"}}',
  ]
  for (const body of bodies) isNotOurFault(await client.post('/domains', body), body)
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
  assert.equal((await client.get('/domains?search=p4.test')).body.pagination.total, 0)
})

test('a body of more than 1 MiB is refused', async () => {
  const of = (octets: number) => `{"domain":"big.test","x":"${'a'.repeat(octets - 28)}"}`
  assert.equal((await client.post('/domains', of(1024 * 1024))).status, 201)
  refuses(await client.post('/domains', of(1024 * 1024 + 1)), 413, 'body_too_large')
  refuses(await client.post('/domains', of(3_000_000)), 413, 'body_too_large')
})

// biome-ignore format: a table
const CONTENT_TYPES: readonly [contentType: string, status: 201 | 415][] = [
  ['application/json',                  201],
  ['application/json; charset=utf-8',   201],
  ['Application/JSON;charset=UTF-8',    201],
  ['application/x-www-form-urlencoded', 415],
  ['multipart/form-data; boundary=x',   415],
  ['application/xml',                   415],
  ['application/jsonp',                 415],
  ['text/json',                         415],
  ['text/html',                         415],
  ['json',                              415],
  ['application/json, text/plain',      415],
  ['text/plain',                        415],
  ['text/plain; charset=utf-8',         415],
]

for (const [index, [contentType, status]] of CONTENT_TYPES.entries()) {
  test(`a body sent as ${contentType} → ${status}`, async () => {
    const answer = await postAs(contentType, `{"domain":"type${index}.test"}`)
    if (status === 415) refuses(answer, 415, 'unsupported_media_type')
    else assert.equal(answer.status, 201, JSON.stringify(answer.body))
  })
}

test('a body where none is wanted is ignored, whatever it is', async () => {
  const { body: added } = await client.post('/domains', { domain: 'bodies.test' })
  const path = `/domains/${added.domain_id}`
  for (const body of ['', '{}', '{"auto_activate":false}', 'null']) {
    assert.equal((await client.post(`${path}/activate`, body)).status, 200, body)
  }
  assert.equal((await client.request('DELETE', `/api/public/v1${path}`, '')).status, 200)
})

// --- Text in queries

test('any other text in a query matches nothing, and nothing breaks', async () => {
  // biome-ignore format: a table
  const texts = ['%', '_', "'", '"', '\\', '%25%25', "' or 1=1 --", '#{x}', '\ud83d\ude00', '\u202e', '\n', '\u001f', '*', '.*', 'a'.repeat(255)]
  for (const text of texts.map(encodeURIComponent)) {
    for (const query of [
      `/domains?search=${text}`,
      `/domains?status=${text}`,
      `/replies?category=${text}`,
    ]) {
      const { status, body } = await client.get(query)
      assert.equal(status, 200, query)
      if (text !== '.*') assert.equal(body.pagination?.total ?? body.total_count, 0, query)
    }
  }
})

test('after all these, nothing was our fault', () => {
  assert.deepEqual(troubleIn(house.logLines), [])
})

test('a null character in a query matches nothing or is refused, and is not our fault', async () => {
  // biome-ignore format: a table
  const queries = ['/domains?search=%00', '/domains?status=%00', '/sender-accounts?search=a%00', '/sender-accounts?status=%00', '/sender-accounts?inbox_type=%00', '/replies?category=%00']
  for (const query of queries) isNotOurFault(await client.get(query), query)
})
