/** The contract of the wire, on: keys, whose they are, and the two worlds. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { makeApiKey } from '#names/api-key.ts'
import { createApiKey, FIRST_WORKSPACE, type WantedKey } from '#store/api-keys.ts'
import { Client, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { LIVE } from './live.ts'
import {
  among,
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

const house = await testHouse(LIVE)
after(() => house[Symbol.asyncDispose]())

const theirs = await house.clientOf({ workspace: anotherWorkspace() })
const make = async (wanted: Partial<WantedKey>): Promise<string> => {
  const usual = { workspaceId: FIRST_WORKSPACE, world: 'sandbox' as const, name: 'a key' }
  return (await createApiKey(house.store, { ...usual, scopes: ['*'], ...wanted })).key
}

const specify = await specifying(house, {
  workspace: FIRST_WORKSPACE,
  nothing: await make({ scopes: [] }),
  maker: await make({ scopes: ['keys:create', 'domains:read'] }),
  live: await make({ world: 'live' }),
  stranger: theirs.key!,
  expired: await make({ expiresAt: new Date(Date.now() - 1000) }),
  nobody: makeApiKey('sandbox'),
})

const badKey = { detail: 'Invalid or revoked API key', error: 'api_key_invalid' }
const noScope = (required: string[], granted: string[]) => ({
  detail: `Missing required scopes: ${required.join(', ')}`,
  error: 'insufficient_scopes',
  required,
  granted,
})
const wrong = (field: string, type: string) => violation(['body', field], type)
const TEST_KEY = /^ms_test_[0-9A-Za-z]{40}$/
const LIVE_KEY = /^ms_live_[0-9A-Za-z]{40}$/
const END = '2999-12-31T23:59:59.000Z'

// biome-ignore format: a table
const KEYS: readonly Line[] = [
  ['a key is made, and shown',                `POST /keys {"name":"CI","scopes":["domains:read","domains:create"],"expires_at":"${END}"}`, 201, { ...said, key_id: as('id'), key: as('made', TEST_KEY), name: 'CI', scopes: ['domains:read', 'domains:create'], expires_at: END, created_at: INSTANT }],
  ['it works',                                'GET /domains [x-api-key: {made}]',                200, said],
  ['as far as its scopes reach',              'GET /keys [x-api-key: {made}]',                   403, noScope(['keys:read'], ['domains:read', 'domains:create'])],
  ['it need not end',                         'POST /keys {"name":"x","scopes":["*"]}',          201, { expires_at: null }],
  ['the list is newest first',                'GET /keys?limit=2',                               200, { ...said, keys: [{ name: 'x', last_used_at: null }, { key_id: '{id}', name: 'CI', scopes: ['domains:read', 'domains:create'], expires_at: END, created_at: INSTANT }], pagination: { page: 1, limit: 2, has_next: true } }],
  ['and has never the key itself',            'GET /keys?limit=100',                             200, { keys: among({ key_id: '{id}', key: undefined }) }],
  ['nobody makes what they may not do',       'POST /keys [x-api-key: {maker}] {"name":"x","scopes":["domains:read","replies:read","*"]}', 403, noScope(['replies:read', '*'], ['keys:create', 'domains:read'])],
  ['but all that they may',                   'POST /keys [x-api-key: {maker}] {"name":"x","scopes":["keys:create","domains:read"]}', 201, { key: TEST_KEY }],
  ['nor without the scope for it',            'POST /keys [x-api-key: {made}] {"name":"x","scopes":["domains:read"]}', 403, noScope(['keys:create'], ['domains:read', 'domains:create'])],
  ['a name is wanted',                        'POST /keys {"scopes":["*"]}',                     422, wrong('name', 'value_error.missing')],
  ['and scopes',                              'POST /keys {"name":"x"}',                         422, wrong('scopes', 'value_error.missing')],
  ['and an end to come, if any',              'POST /keys {"name":"x","scopes":["*"],"expires_at":"tomorrow"}', 422, wrong('expires_at', 'value_error.datetime')],
  ['one that has ended → 401',                'GET /domains [x-api-key: {expired}]',             401, badKey],
  ['one that nobody has → the same',          'GET /domains [x-api-key: {nobody}]',              401, badKey],
  ["another tenant's cannot be revoked",      'DELETE /keys/{id} [x-api-key: {stranger}]',       404, refused('key_not_found')],
  ['nor is it in their list',                 'GET /keys [x-api-key: {stranger}]',               200, { pagination: { total: 1 } }],
  ['nor without the scope for it',            'DELETE /keys/{id} [x-api-key: {maker}]',          403, noScope(['keys:delete'], ['keys:create', 'domains:read'])],
  ['a key is revoked',                        'DELETE /keys/{id}',                               200, { ...said, key_id: '{id}' }],
  ['from then on → the same 401',             'GET /domains [x-api-key: {made}]',                401, badKey],
  ['and once',                                'DELETE /keys/{id}',                               404, refused('key_not_found')],
  ['as one that is not known',                'DELETE /keys/{unknown}',                          404, refused('key_not_found')],
  ['not a UUID → 422',                        'DELETE /keys/x',                                  422, violation(['path', 'key_id'], 'value_error.uuid')],
  // GET /workspace
  ['whose the key is',                        'GET /workspace',                                  200, { ...said, workspace_id: '{workspace}', name: SENTENCE, world: 'sandbox', created_at: INSTANT }],
  ['any key may ask',                         'GET /workspace [x-api-key: {nothing}]',           200, { workspace_id: '{workspace}' }],
  ['each has its own',                        'GET /workspace [x-api-key: {stranger}]',          200, { workspace_id: UUID, name: 'a workspace' }],
]

// biome-ignore format: a table
const WORLDS: readonly Line[] = [
  ['a live key acts in the real world',       'GET /workspace [x-api-key: {live}]',                              200, { workspace_id: '{workspace}', world: 'live' }],
  ['and makes live keys',                     'POST /keys [x-api-key: {live}] {"name":"x","scopes":["*"]}',      201, { key: as('second', LIVE_KEY) }],
  ['which are not among those of the sandbox', 'GET /keys?limit=1 [x-api-key: {live}]',                          200, { keys: [{ name: 'x' }], pagination: { total: 2 } }],
  ['it takes a real name',                    'POST /domains [x-api-key: {live}] {"domain":"yourcompany.com"}',  201, { domain_id: as('real'), domain_name: 'yourcompany.com' }],
  ['and none of special use: .test',          'POST /domains [x-api-key: {live}] {"domain":"acme.test"}',        422, wrong('domain', 'value_error.domain')],
  ['.example',                                'POST /domains [x-api-key: {live}] {"domain":"acme.example"}',     422, wrong('domain', 'value_error.domain')],
  ['.local',                                  'POST /domains [x-api-key: {live}] {"domain":"acme.local"}',       422, wrong('domain', 'value_error.domain')],
  ["nor one of the platform's own",           'POST /domains [x-api-key: {live}] {"domain":"mailstead-platform.com"}', 422, wrong('domain', 'value_error.domain')],
  ['the sandbox takes .test',                 'POST /domains {"domain":"acme.test"}',                            201, { domain_id: as('played') }],
  ['.example',                                'POST /domains {"domain":"acme.example"}',                         201, { domain_name: 'acme.example' }],
  ['and nothing else',                        'POST /domains {"domain":"yourcompany.com"}',                      422, wrong('domain', 'value_error.domain')],
  ["neither sees the other's domains",        'GET /domains/{played} [x-api-key: {live}]',                       404, noDomain],
  ['neither',                                 'GET /domains/{real}',                                             404, noDomain],
  ['nor are they in its list',                'GET /domains [x-api-key: {live}]',                                200, { domains: [{ domain_name: 'yourcompany.com' }], pagination: { total: 1 } }],
  ['nor in the other',                        'GET /domains',                                                    200, { pagination: { total: 2 } }],
]

specify('keys', KEYS)
specify('worlds', WORLDS)

test('keys: when one was used last is noted', async () => {
  const { client } = house
  const { body } = await client.post('/keys', { name: 'used', scopes: ['domains:read'] })
  await new Client(client.base, body.key).get('/domains')
  const noted = await until(
    async () => (await client.get('/keys?limit=1')).body.keys[0],
    ({ last_used_at }) => last_used_at !== null,
  )
  assert.equal(noted.key_id, body.key_id)
  assert.match(noted.last_used_at, INSTANT)
})
