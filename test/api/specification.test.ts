/**
 * The contract of the wire, line by line: what is asked, and what must be answered. A line of the answer
 * names the fields it is about; that there are no others, the document says, and each answer is held to it.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testHouse } from '../house.ts'
import { conforms, documentOf, operationOf, operationsIn, send } from './document.ts'
import { UNKNOWN_ID } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house
const document = await documentOf(client)
const operations = operationsIn(document)

const active = await client.addActive('active.test')
const waiting = (await client.post('/domains', { domain: 'waiting.test' })).body
await client.untilDomain(waiting.domain_id, ({ delegation }) => delegation !== null)
const reader = await house.clientOf({ scopes: ['domains:read'] })
const mistyped = `${client.key!.slice(0, -1)}${client.key!.endsWith('0') ? '1' : '0'}`

/** What stands for it in the tables. */
const NAMES: Readonly<Record<string, string>> = {
  '{active}': active.domain_id,
  '{waiting}': waiting.domain_id,
  '{unknown}': UNKNOWN_ID,
  '{key}': client.key!,
  '{mistyped}': mistyped,
  '{reader}': reader.key!,
}

type Line = readonly [
  line: string,
  /** With the headers in brackets: other than these, the key of a test goes as `X-API-Key`. */
  asked: string,
  status: number,
  answered: unknown,
  headers?: Readonly<Record<string, RegExp>>,
]

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const SENTENCE = /^[A-Z].+/
const said = { success: true, message: SENTENCE }
const violation = (loc: readonly string[], type: string) => ({ detail: [{ loc, msg: /./, type }] })
const notFound = { detail: 'Domain not found', error: 'domain_not_found' }
const refusedName = violation(['body', 'domain'], 'value_error.domain')

// biome-ignore format: a table
const CONVENTIONS: readonly Line[] = [
  // Key
  ['the key is in X-API-Key',                 'GET /domains [x-api-key: {key}]',               200, said],
  ['or a bearer token',                       'GET /domains [authorization: Bearer {key}]',    200, said],
  ['absent → 401',                            'GET /domains []',                               401, { detail: 'API key required. Include your API key in X-API-Key header.', error: 'api_key_required' }],
  ['mistyped → 401',                          'GET /domains [x-api-key: {mistyped}]',          401, { detail: 'Invalid or revoked API key', error: 'api_key_invalid' }],
  ['malformed → the same 401',                'GET /domains [x-api-key: x]',                   401, { detail: 'Invalid or revoked API key', error: 'api_key_invalid' }],
  ['without the scope → 403, with the scopes', 'POST /domains [x-api-key: {reader}] {"domain":"scope.test"}', 403, { detail: 'Missing required scopes: domains:create', error: 'insufficient_scopes', required: ['domains:create'], granted: ['domains:read'] }],
  // Errors
  ['an unknown id → 404',                     'GET /domains/{unknown}',                        404, notFound],
  ['an unknown path → 404',                   'GET /nothing',                                  404, { detail: 'Not found', error: 'not_found' }],
  ['a conflict names what is in the way',     'POST /domains {"domain":"active.test"}',        409, { detail: SENTENCE, error: 'domain_exists', domain_id: '{active}' }],
  ['missing in the body → 422',               'POST /domains {}',                              422, violation(['body', 'domain'], 'value_error.missing')],
  ['too short',                               'POST /domains {"domain":""}',                   422, violation(['body', 'domain'], 'value_error.any_str.min_length')],
  ['of the wrong type',                       'POST /domains {"domain":1}',                    422, violation(['body', 'domain'], 'type_error.str')],
  ['neither true nor false',                  'POST /domains {"domain":"b.test","auto_activate":"yes"}', 422, violation(['body', 'auto_activate'], 'type_error.bool')],
  ['too large in the query',                  'GET /domains?limit=101',                        422, violation(['query', 'limit'], 'value_error.number.not_le')],
  ['too small in the query',                  'GET /domains?page=0',                           422, violation(['query', 'page'], 'value_error.number.not_ge')],
  ['not a whole number',                      'GET /domains?page=x',                           422, violation(['query', 'page'], 'type_error.integer')],
  ['not a UUID in the path',                  'GET /domains/x',                                422, violation(['path', 'domain_id'], 'value_error.uuid')],
  ['not JSON → 400',                          'POST /domains {',                               400, { detail: SENTENCE, error: 'invalid_json' }],
  ['unknown fields are ignored',              'POST /domains {"domain":"ignored.test","max_inboxes":9,"x":{}}', 201, { ...said, max_inboxes: 50 }],
  // Pagination
  ['page 1 and limit 20 by default',          'GET /domains',                                  200, { ...said, pagination: { page: 1, limit: 20, total: 3, pages: 1, has_next: false, has_prev: false } }],
  ['the newest first',                        'GET /domains?limit=2',                          200, { domains: [{ domain_name: 'ignored.test' }, { domain_name: 'waiting.test' }], pagination: { pages: 2, has_next: true } }],
  ['and the rest on the next page',           'GET /domains?limit=2&page=2',                   200, { domains: [{ domain_name: 'active.test' }], pagination: { has_next: false, has_prev: true } }],
  ['a page past the end is empty',            'GET /domains?page=9',                           200, { domains: [], pagination: { total: 3 } }],
  // Request id, and the document
  ['every answer has a request id',           'GET /domains/{unknown}',                        404, notFound, { 'x-request-id': UUID }],
  ["a caller's well-formed one is kept",      'GET /domains [x-api-key: {key}, x-request-id: order-7]', 200, said, { 'x-request-id': /^order-7$/ }],
  ['JSON is what is answered',                'GET /domains',                                  200, said, { 'content-type': /^application\/json; charset=utf-8$/ }],
]

// biome-ignore format: a table
const DOMAINS: readonly Line[] = [
  // POST /domains
  ['a new domain has its nameservers',        'POST /domains {"domain":"mail.yourcompany.test"}', 201, { ...said, domain_id: UUID, domain_name: 'mail.yourcompany.test', status: 'DNS_PENDING', nameservers: [/\.ns\.mailstead\.test$/, /\.ns\.mailstead\.test$/], max_inboxes: 50, current_inboxes: 0, created_at: INSTANT, progress_url: /^\/api\/public\/v1\/domains\/[0-9a-f-]{36}\/progress$/ }],
  ['its name is lower-cased, without its dot', 'POST /domains {"domain":"UPPER.Test."}',       201, { domain_name: 'upper.test' }],
  ['an IDN becomes A-labels',                 'POST /domains {"domain":"müller.test"}',        201, { domain_name: 'xn--mller-kva.test' }],
  ['non-transitional, so that ß stays',       'POST /domains {"domain":"straße.test"}',        201, { domain_name: 'xn--strae-oqa.test' }],
  ['not a host name → 422',                   'POST /domains {"domain":"a b.test"}',           422, refusedName],
  ['nor is a single label',                   'POST /domains {"domain":"acme"}',               422, refusedName],
  ['nor an IPv4 address',                     'POST /domains {"domain":"192.0.2.1"}',          422, refusedName],
  ['nor an IPv6 address',                     'POST /domains {"domain":"2001:db8::1"}',        422, refusedName],
  ['nor a label of 64 octets',                `POST /domains {"domain":"${'a'.repeat(64)}.test"}`, 422, refusedName],
  ['nor a name of 254 octets',                `POST /domains {"domain":"${'a.'.repeat(125)}test"}`, 422, violation(['body', 'domain'], 'value_error.any_str.max_length')],
  ['nor a public suffix',                     'POST /domains {"domain":"co.uk"}',              422, refusedName],
  ['nor localhost',                           'POST /domains {"domain":"www.localhost"}',      422, refusedName],
  ['nor .arpa',                               'POST /domains {"domain":"2.0.192.in-addr.arpa"}', 422, refusedName],
  ['nor .invalid',                            'POST /domains {"domain":"acme.invalid"}',       422, refusedName],
  ['nor .onion',                              'POST /domains {"domain":"acme.onion"}',         422, refusedName],
  ['nor .local',                              'POST /domains {"domain":"acme.local"}',         422, refusedName],
  ['nor a real name, in the sandbox',         'POST /domains {"domain":"yourcompany.com"}',    422, refusedName],
  ['but .example is taken there, as .test is',     'POST /domains {"domain":"acme.example"}',       201, { domain_name: 'acme.example' }],
  ["nor a name of the platform's own",        'POST /domains {"domain":"ns.mailstead.test"}',  422, refusedName],
  ['nor one below it',                        'POST /domains {"domain":"x.ns.mailstead.test"}', 422, refusedName],
  ['nor one above it',                        'POST /domains {"domain":"mailstead.test"}',     422, refusedName],
  // GET /domains
  ['an item of the list',                     'GET /domains?status=ACTIVE',                    200, { ...said, domains: [{ domain_id: '{active}', domain_name: 'active.test', status: 'ACTIVE', mailcow_added: true, cloudflare_verified: true, max_inboxes: 50, current_inboxes: 0, created_at: INSTANT }] }],
  ['an unknown status matches nothing',       'GET /domains?status=SLEEPING',                  200, { domains: [], pagination: { total: 0 } }],
  ['a part of the name may be searched for',  'GET /domains?search=yourcomp',                  200, { domains: [{ domain_name: 'mail.yourcompany.test' }] }],
  // GET /domains/{domain_id}
  ['all of an active domain',                 'GET /domains/{active}',                         200, { ...said, domain_id: '{active}', status: 'ACTIVE', nameservers: [/./, /./], inbox_capacity: { max: 50, current: 0, available: 50 }, activated_at: INSTANT, failure: null, delegation: { verdict: 'delegated' }, sending: { allowed: true, reason: null }, providers: { dns: 'embedded', sender: 'embedded', mailbox: 'embedded' } }],
  ['a domain that waits',                     'GET /domains/{waiting}',                        200, { status: 'DNS_PENDING', activated_at: null, mailcow_added: false, cloudflare_verified: false, delegation: { verdict: 'not_published', observed: [], checked_at: INSTANT }, conditions: [{ type: 'zone_ready', status: 'met' }, { type: 'delegated', status: 'waiting', waiting_for: 'customer' }], sending: { allowed: false, reason: 'domain_not_active' } }],
  // POST /domains/{domain_id}/activate
  ['not delegated yet is no fault',           'POST /domains/{waiting}/activate',              200, { ...said, status: 'DNS_PENDING', dns_verified: false, estimated_completion: null, delegation: { verdict: 'not_published', servers: [{ name: /./, address: /./ }] } }],
  ['on an active domain it changes nothing',  'POST /domains/{active}/activate',               200, { ...said, domain_id: '{active}', domain_name: 'active.test', status: 'ACTIVE', dns_verified: true, progress_url: '/api/public/v1/domains/{active}/progress' }],
  ['retry is the same',                       'POST /domains/{active}/retry',                  200, { ...said, status: 'ACTIVE' }],
  ['of an unknown domain → 404',              'POST /domains/{unknown}/activate',              404, notFound],
  // GET /domains/{domain_id}/progress
  ['the progress of one that waits',          'GET /domains/{waiting}/progress',               200, { ...said, domain_id: '{waiting}', status: 'IN_PROGRESS', is_complete: false, is_failed: false, status_message: 'Waiting for your registrar to publish the nameservers.' }],
  ['and of one that is ready',                'GET /domains/{active}/progress',                200, { status: 'COMPLETED', progress_percentage: 100, is_complete: true, is_failed: false, status_message: SENTENCE }],
  // Ours
  ['the zone as a master file',               'GET /domains/{active}/zone',                    200, /active\.test\.\s.*\bMX\b/, { 'content-type': /^text\/dns/ }],
  ['looking again',                           'POST /domains/{active}/check',                  200, { domain_id: '{active}', status: 'ACTIVE' }],
  ['what happened',                           'GET /domains/{active}/events?limit=1',          200, { events: [{ event_id: UUID, type: /./, at: INSTANT }], next_cursor: UUID }],
  ['no removal was asked for',                'GET /domains/{active}/removal',                 404, { detail: SENTENCE, error: 'removal_not_found' }],
  // DELETE /domains/{domain_id}
  ['a rehearsal removes nothing',             'DELETE /domains/{waiting}?dry_run=true',        200, { ...said, domain_id: '{waiting}', deleted: false, blockers: [] }],
  ['as one can see',                          'GET /domains/{waiting}',                        200, { status: 'DNS_PENDING' }],
  ['a removal is answered at once',           'DELETE /domains/{waiting}',                     200, { ...said, domain_id: '{waiting}', domain_name: 'waiting.test', deleted: true }],
  ['it is gone for everyone',                 'GET /domains/{waiting}',                        404, notFound],
  ['and out of the list',                     'GET /domains?search=waiting.test',              200, { domains: [] }],
  ['removing it again → 404',                 'DELETE /domains/{waiting}',                     404, notFound],
  ['what becomes of it can be read',          'GET /domains/{waiting}/removal',                200, { domain_id: '{waiting}', domain_name: 'waiting.test', state: /^(removing|done)$/, started_at: INSTANT }],
]

const withNames = (text: string): string =>
  text.replace(/\{[a-z]+\}/g, (name) => NAMES[name] ?? name)

function read(asked: string) {
  const [, method, path, brackets, body] = /^([A-Z]+) (\S+)(?: \[(.*?)\])?(?: ([[{].*))?$/.exec(
    asked,
  )!
  const headers = brackets
    ?.split(', ')
    .filter(Boolean)
    .map((each) => each.split(': ') as [string, string])
  return {
    method: method!,
    path: withNames(`/api/public/v1${path}`),
    headers: headers
      ? Object.fromEntries(headers.map(([name, text]) => [name, withNames(text)]))
      : { 'x-api-key': client.key! },
    ...(body === undefined ? {} : { body }),
  }
}

/** Of an object the named fields, of a list the first items, of a text its pattern; an empty list is empty. */
function holds(actual: unknown, expected: unknown, where: string): void {
  if (expected instanceof RegExp) assert.match(String(actual), expected, where)
  else if (typeof expected === 'string') assert.equal(actual, withNames(expected), where)
  else if (typeof expected === 'object' && expected !== null) holdsWithin(actual, expected, where)
  else assert.equal(actual, expected, where)
}

function holdsWithin(actual: unknown, expected: object, where: string): void {
  assert.ok(typeof actual === 'object' && actual !== null, `${where}: ${JSON.stringify(actual)}`)
  if (Array.isArray(expected) && expected.length === 0) assert.deepEqual(actual, [], where)
  for (const [name, value] of Object.entries(expected))
    holds((actual as Record<string, unknown>)[name], value, `${where}.${name}`)
}

function specify(title: string, lines: readonly Line[]): void {
  for (const [line, asked, status, answered, headers = {}] of lines) {
    test(`${title}: ${line} (${asked.slice(0, 80)} → ${status})`, async () => {
      const request = read(asked)
      const answer = await send({ base: client.base, key: undefined }, request)
      assert.equal(answer.status, status, JSON.stringify(answer.body))
      holds(answer.body, answered, 'body')
      for (const [name, pattern] of Object.entries(headers))
        assert.match(answer.headers.get(name) ?? '', pattern)
      const described = operationOf(operations, request.method, request.path)
      if (described) conforms(document, described, answer)
      else assert.equal(status, 404)
    })
  }
}

specify('conventions', CONVENTIONS)
specify('domains', DOMAINS)

test('what fails, and what comes in, are as the document describes them', async () => {
  await client.misbehave('failed.test', 'sender_registered', 'rejected')
  const { domain_id } = await client.addDelegated('failed.test')
  const failed = await client.untilDomain(domain_id, ({ status }) => status === 'FAILED')
  holds(failed.failure, { stage: 'sender_registered', message: /./, failed_at: INSTANT }, 'failure')
  const kim = { domain_id: active.domain_id, email_prefix: 'kim', display_name: 'Kim' }
  const made = await client.post('/sender-accounts/coldsend-native', kim)
  const mail = { from: 'lead@inbox.test', to: 'kim@active.test', subject: 'Hello', text: 'Hi' }
  assert.equal((await client.sandbox('POST', '/mail', mail)).status, 202)
  for (const path of [
    `/domains/${domain_id}`,
    `/domains/${domain_id}/progress`,
    '/sender-accounts',
    '/replies',
  ]) {
    const answer = await client.get(path)
    conforms(document, operationOf(operations, 'GET', `/api/public/v1${path}`)!, answer)
  }
  const adds = operationOf(operations, 'POST', '/api/public/v1/sender-accounts/coldsend-native')!
  conforms(document, adds, made)
})

test('OpenAPI 3.1 is at /openapi.json, and a readable page at /docs', async () => {
  assert.equal((await client.request('GET', '/openapi.json')).body.openapi, '3.1.0')
  const page = await fetch(`${client.base}/docs`)
  assert.deepEqual(
    [page.status, page.headers.get('content-type')],
    [200, 'text/html; charset=utf-8'],
  )
})
