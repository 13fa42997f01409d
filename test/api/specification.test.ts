/**
 * The contract of the wire, line by line: what is asked, and what must be answered. A line of the answer
 * names the fields it is about; that there are no others, the document says, and each answer is held to it.
 * Here is what all calls have in common; the files beside this one have the calls themselves.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { anotherWorkspace, testHouse } from '../house.ts'
import { visit } from '../redirect.ts'
import {
  as,
  INSTANT,
  type Line,
  noDomain,
  refused,
  SENTENCE,
  said,
  specifying,
  UUID,
  violation,
} from './specify.ts'

const house = await testHouse({ MAILSTEAD_REDIRECT_LISTEN: '127.0.0.1:0' })
after(() => house[Symbol.asyncDispose]())
const { client } = house
const key = client.key!

const active = await client.addActive('active.test')
await client.post('/domains', { domain: 'waiting.test' })

const specify = await specifying(house, {
  active: active.domain_id,
  mistyped: `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`,
  reader: (await house.clientOf({ scopes: ['domains:read'] })).key!,
  manager: (await house.clientOf({ scopes: ['domains:all'] })).key!,
  stranger: (await house.clientOf({ workspace: anotherWorkspace() })).key!,
})

const noKey = {
  detail: 'API key required. Include your API key in X-API-Key header.',
  error: 'api_key_required',
}
const badKey = { detail: 'Invalid or revoked API key', error: 'api_key_invalid' }
const noScope = {
  detail: 'Missing required scopes: domains:create',
  error: 'insufficient_scopes',
  required: ['domains:create'],
  granted: ['domains:read'],
}
const inBody = (field: string, type: string) => violation(['body', field], type)
const inQuery = (field: string, type: string) => violation(['query', field], type)
const LONG = 'x'.repeat(1024 * 1024)

// biome-ignore format: a table
const CONVENTIONS: readonly Line[] = [
  // Key
  ['the key is in X-API-Key',                 'GET /domains [x-api-key: {key}]',               200, said],
  ['or a bearer token',                       'GET /domains [authorization: Bearer {key}]',    200, said],
  ['absent → 401',                            'GET /domains []',                               401, noKey],
  ['mistyped → 401',                          'GET /domains [x-api-key: {mistyped}]',          401, badKey],
  ['malformed → the same 401',                'GET /domains [x-api-key: x]',                   401, badKey],
  ['before anything else is judged',          'POST /domains [] {',                            401, noKey],
  ['without the scope → 403, with the scopes', 'POST /domains [x-api-key: {reader}] {"domain":"scope.test"}', 403, noScope],
  ['resource:all has every action of it',     'GET /domains [x-api-key: {manager}]',           200, said],
  // Errors
  ['an unknown id → 404',                     'GET /domains/{unknown}',                        404, noDomain],
  ["another tenant's → the same 404",         'GET /domains/{active} [x-api-key: {stranger}]', 404, noDomain],
  ['an unknown path → 404',                   'GET /nothing',                                  404, { detail: 'Not found', error: 'not_found' }],
  ['an unknown method → 404',                 'PATCH /domains',                                404, { detail: 'Not found', error: 'not_found' }],
  ['a conflict names what is in the way',     'POST /domains {"domain":"active.test"}',        409, refused('domain_exists', { domain_id: '{active}' })],
  ['not JSON → 400',                          'POST /domains {',                               400, refused('invalid_json')],
  ['of another type → 415',                   'POST /domains [x-api-key: {key}, content-type: text/xml] {}', 415, refused('unsupported_media_type')],
  ['more than 1 MiB → 413',                   `POST /domains {"domain":"${LONG}"}`,            413, refused('body_too_large')],
  ['a part of the path too long → 414',       `GET /domains/${'x'.repeat(301)}`,               414, refused('uri_too_long')],
  ['headers too large → 431',                 `GET /domains [x-api-key: {key}, x-long: ${'x'.repeat(20_000)}]`, 431, refused('headers_too_large')],
  ['unknown fields are ignored',              'POST /domains {"domain":"ignored.test","max_inboxes":9,"x":{}}', 201, { ...said, max_inboxes: 50 }],
  // Pagination
  ['page 1 and limit 20 by default',          'GET /domains',                                  200, { ...said, pagination: { page: 1, limit: 20, total: 3, pages: 1, has_next: false, has_prev: false } }],
  ['the newest first',                        'GET /domains?limit=2',                          200, { domains: [{ domain_name: 'ignored.test' }, { domain_name: 'waiting.test' }], pagination: { pages: 2, has_next: true } }],
  ['and the rest on the next page',           'GET /domains?limit=2&page=2',                   200, { domains: [{ domain_name: 'active.test' }], pagination: { has_next: false, has_prev: true } }],
  ['a page past the end is empty',            'GET /domains?page=9',                           200, { domains: [], pagination: { total: 3 } }],
  ['limit 100 is the most',                   'GET /domains?limit=100',                        200, { pagination: { limit: 100 } }],
  ['a list can be read on by its cursor',     'GET /domains?limit=2',                          200, { pagination: { next_cursor: as('cursor') } }],
  ['to its end',                              'GET /domains?limit=2&cursor={cursor}',          200, { domains: [{ domain_name: 'active.test' }], pagination: { next_cursor: null } }],
  // Request id
  ['every answer has a request id',           'GET /domains',                                  200, said,     { 'x-request-id': UUID }],
  ['every error too',                         'GET /domains/{unknown}',                        404, noDomain, { 'x-request-id': UUID }],
  ["a caller's well-formed one is kept",      'GET /domains [x-api-key: {key}, x-request-id: order-7]', 200, said, { 'x-request-id': /^order-7$/ }],
  ['and any other replaced',                  'GET /domains [x-api-key: {key}, x-request-id: order seven]', 200, said, { 'x-request-id': UUID }],
  // Form
  ['JSON is what is answered',                'GET /domains',                                  200, said, { 'content-type': /^application\/json; charset=utf-8$/ }],
  ['times are UTC, with Z',                   'GET /domains',                                  200, { domains: [{ created_at: INSTANT }] }],
]

// biome-ignore format: a table
const VIOLATIONS: readonly Line[] = [
  ['missing in the body',        'POST /domains {}',                                              422, inBody('domain', 'value_error.missing')],
  ['too short a text',           'POST /domains {"domain":""}',                                   422, inBody('domain', 'value_error.any_str.min_length')],
  ['too long a text',            `POST /domains {"domain":"${'x'.repeat(1001)}"}`,                422, inBody('domain', 'value_error.any_str.max_length')],
  ['too short a list',           'POST /keys {"name":"x","scopes":[]}',                           422, inBody('scopes', 'value_error.list.min_items')],
  ['too long a list',            `POST /domains/{active}/import {"drop":["${Array(501).fill(active.domain_id).join('","')}"]}`, 422, inBody('drop', 'value_error.list.max_items')],
  ['too large a number',         'GET /domains?limit=101',                                        422, inQuery('limit', 'value_error.number.not_le')],
  ['too small a number',         'GET /domains?page=0',                                           422, inQuery('page', 'value_error.number.not_ge')],
  ['not a UUID in the path',     'GET /domains/x',                                                422, violation(['path', 'domain_id'], 'value_error.uuid')],
  ['nor in the query',           'GET /domains?cursor=x',                                         422, inQuery('cursor', 'value_error.uuid')],
  ['nor in the body',            'POST /domains/{active}/import {"drop":["x"]}',                  422, violation(['body', 'drop', 0], 'value_error.uuid')],
  ['not an e-mail address',      'POST /sender-accounts/{unknown}/test-email {"recipient_email":"x"}', 422, inBody('recipient_email', 'value_error.email')],
  ['not a localpart',            'POST /sender-accounts/coldsend-native {"domain_id":"{active}","email_prefix":"a b","display_name":"x"}', 422, inBody('email_prefix', 'value_error.email_prefix')],
  ['not a domain name',          'POST /domains {"domain":"a b.test"}',                           422, inBody('domain', 'value_error.domain')],
  ['not a record',               'POST /domains/{active}/records {"name":"a","type":"A","value":"x"}', 422, inBody('value', 'value_error.record')],
  ['a line of a file that is none', 'POST /domains/{active}/import {"zone_file":"$INCLUDE x"}', 422, violation(['body', 'zone_file', 1], 'value_error.zone_file')],
  ['a redirect in a circle',     'POST /domains/{active}/redirect {"target_domain":"active.test"}', 422, inBody('target_domain', 'value_error.redirect_loop')],
  ['no such account',            'POST /domains {"domain":"b.test","providers":{"dns":"nobody"}}', 422, violation(['body', 'providers', 'dns'], 'value_error.account')],
  ['of another form',            'POST /keys {"name":"x","scopes":["domains"]}',                  422, violation(['body', 'scopes', 0], 'value_error.str.regex')],
  ['not a time to come',         'POST /keys {"name":"x","scopes":["*"],"expires_at":"2001-01-01T00:00:00Z"}', 422, inBody('expires_at', 'value_error.datetime')],
  ['a null character',           'GET /domains?search=%00',                                       422, inQuery('search', 'value_error.str.null')],
  ['not a text',                 'POST /domains {"domain":1}',                                    422, inBody('domain', 'type_error.str')],
  ['not a whole number',         'GET /domains?page=x',                                           422, inQuery('page', 'type_error.integer')],
  ['nor is a fraction',          'GET /domains?page=1.5',                                         422, inQuery('page', 'type_error.integer')],
  ['neither true nor false',     'POST /domains {"domain":"b.test","auto_activate":"yes"}',       422, inBody('auto_activate', 'type_error.bool')],
  ['not a list',                 'POST /keys {"name":"x","scopes":"*"}',                          422, inBody('scopes', 'type_error.list')],
  ['not an object',              'POST /domains {"domain":"b.test","providers":1}',               422, inBody('providers', 'type_error.dict')],
  ['none of the values',         'DELETE /domains/{active}?dry_run=perhaps',                      422, inQuery('dry_run', 'type_error.enum')],
  ['all of them are told',       'GET /domains?page=0&limit=0',                                   422, { detail: [{ loc: ['query', 'page'] }, { loc: ['query', 'limit'] }] }],
]

specify('conventions', CONVENTIONS)
specify('not valid → 422', VIOLATIONS)

test('the lines above have every type of violation that is documented', () => {
  const page = readFileSync('docs/errors.md', 'utf8')
  const types = [...page.matchAll(/^\| `((?:value|type)_error\.[\w.]+)` \|/gm)].map(
    ([, type]) => type,
  )
  assert.ok(types.length > 20)
  const told = JSON.stringify(VIOLATIONS)
  assert.deepEqual(
    types.filter((type) => !told.includes(`"${type}"`)),
    [],
  )
})

test('for a Host that is not ours → 421', async () => {
  const { status, body } = await visit(new URL(client.base).host, 'GET /healthz', 'elsewhere.test')
  assert.equal(status, 421)
  assert.match(JSON.parse(body).detail, SENTENCE)
  assert.equal(JSON.parse(body).error, 'unknown_host')
})

test('OpenAPI 3.1 is at /openapi.json, and a readable page at /docs', async () => {
  const { status, body } = await client.request('GET', '/openapi.json')
  assert.deepEqual([status, body.openapi], [200, '3.1.0'])
  const page = await fetch(`${client.base}/docs`)
  assert.equal(page.status, 200)
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  const text = (await page.text()).replaceAll('<wbr>', '')
  for (const path of Object.keys(body.paths)) assert.ok(text.includes(`<code>${path}</code>`), path)
})

test('what is a fault of ours → 500, with what finds it in the log', async () => {
  await using broken = await testHouse()
  const { store } = broken
  await store.db.schema.alterTable('domains').renameTo('domains_away').execute()
  const { status, headers, body } = await broken.client.get('/domains')
  await store.db.schema.alterTable('domains_away').renameTo('domains').execute()
  assert.equal(status, 500)
  assert.deepEqual(body, {
    detail: 'Internal server error',
    error: 'internal',
    request_id: headers.get('x-request-id'),
  })
})
