import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { makeApiKey } from '#names/api-key.ts'
import { createApiKey, FIRST_WORKSPACE } from '#store/api-keys.ts'
import { Client, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { refuses, UNKNOWN_ID } from './expect.ts'
import { ask, nameOf, OPERATIONS, SANDBOX_OPERATIONS } from './operations.ts'

const bootstrap = makeApiKey('sandbox')
const house = await testHouse({ MAILSTEAD_BOOTSTRAP_KEY: bootstrap })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const nobody = new Client(client.base)
const ids = { domain: UNKNOWN_ID, inbox: UNKNOWN_ID }
const LIST = '/api/public/v1/domains'

const ABSENT = {
  detail: 'API key required. Include your API key in X-API-Key header.',
  error: 'api_key_required',
}
const BAD = { detail: 'Invalid or revoked API key', error: 'api_key_invalid' }

test('without a key, every operation says that one is required, in the given words', async () => {
  for (const operation of OPERATIONS) {
    const { status, body } = await ask(nobody, operation, ids)
    assert.deepEqual([status, body], [401, ABSENT], nameOf(operation))
  }
  for (const [method, path, body] of SANDBOX_OPERATIONS) {
    const answer = await nobody.sandbox(method, path, body)
    assert.deepEqual([answer.status, answer.body], [401, ABSENT], `${method} ${path}`)
  }
})

test('a key is asked for before anything of the request is judged', async () => {
  // biome-ignore format: a table
  const requests = [
    ['POST', '/domains',            '{not json'],
    ['POST', '/domains',            '{"domain":""}'],
    ['GET',  '/domains?limit=0',    undefined],
    ['GET',  '/domains/not-a-uuid', undefined],
  ] as const
  for (const [method, path, body] of requests) {
    const answer = await nobody.request(method, `/api/public/v1${path}`, body)
    refuses(answer, 401, 'api_key_required')
  }
})

const typo = (key: string): string => key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')

// biome-ignore format: a table
const BAD_KEYS: readonly [what: string, key: string][] = [
  ['one nobody has',                 makeApiKey('sandbox')],
  ['a typing error in the checksum', typo(client.key!)],
  ['one letter short',               client.key!.slice(0, -1)],
  ['one letter long',                `${client.key}0`],
  ['the other world in its prefix',  client.key!.replace('ms_test_', 'ms_live_')],
  ['another prefix',                 client.key!.replace('ms_', 'sk_')],
  ['other capitals',                 client.key!.toUpperCase()],
  ['a word',                         'password'],
  ['two keys',                       `${client.key}, ${client.key}`],
  ['a statement',                    "' or 1=1 --"],
  ['a very long one',                'a'.repeat(4000)],
  ['the bootstrap key and more',     `${bootstrap}x`],
  ['the bootstrap key but one',      typo(bootstrap)],
]

for (const [what, key] of BAD_KEYS) {
  test(`a bad key is refused in the given words: ${what}`, async () => {
    for (const headers of [{ 'x-api-key': key }, { authorization: `Bearer ${key}` }]) {
      const { status, body } = await nobody.request('GET', LIST, undefined, headers)
      const isOneWord = !('authorization' in headers) || !/\s/.test(key)
      assert.deepEqual([status, body], [401, isOneWord ? BAD : ABSENT])
    }
  })
}

// biome-ignore format: a table
const HEADERS: readonly [what: string, headers: Record<string, string>, status: number][] = [
  ['X-API-Key',                       { 'X-API-Key': client.key! },                                200],
  ['X-API-Key, the header in capitals', { 'X-API-KEY': client.key! },                              200],
  ['Bearer',                          { authorization: `Bearer ${client.key}` },                   200],
  ['bearer, in small letters',        { authorization: `bearer ${client.key}` },                   200],
  ['the bootstrap key',               { 'x-api-key': bootstrap },                                  200],
  ['an empty X-API-Key and a Bearer', { 'x-api-key': '', authorization: `Bearer ${client.key}` },  200],
  ['a bad X-API-Key and a good Bearer', { 'x-api-key': 'x', authorization: `Bearer ${client.key}` }, 401],
  ['an empty X-API-Key',              { 'x-api-key': '' },                                         401],
  ['Bearer without a key',            { authorization: 'Bearer ' },                                401],
  ['Basic',                           { authorization: `Basic ${btoa(`${client.key}:`)}` },        401],
  ['the key without a scheme',        { authorization: client.key! },                              401],
  ['another header',                  { 'api-key': client.key! },                                  401],
  ['a cookie',                        { cookie: `x-api-key=${client.key}` },                       401],
]

for (const [what, headers, status] of HEADERS) {
  test(`a key is read from its header: ${what} → ${status}`, async () => {
    assert.equal((await nobody.request('GET', LIST, undefined, headers)).status, status)
  })
}

test('a key in the query is no key', async () => {
  const query = `?api_key=${client.key}&x-api-key=${client.key}`
  refuses(await nobody.request('GET', `${LIST}${query}`), 401, 'api_key_required')
})

// biome-ignore format: a table
const ENDED: readonly [what: string, change: { revoked_at: Date } | { expires_at: Date }][] = [
  ['revoked', { revoked_at: new Date() }],
  ['expired', { expires_at: new Date(Date.now() - 1000) }],
]

for (const [what, change] of ENDED) {
  test(`a key that is ${what} works no longer, within seconds even where it was just used`, async () => {
    const { keyId, key } = await createApiKey(store, {
      workspaceId: FIRST_WORKSPACE,
      world: 'sandbox',
      name: what,
      scopes: ['*'],
    })
    const holder = new Client(client.base, key)
    assert.equal((await holder.get('/domains')).status, 200)
    await store.db.updateTable('api_keys').set(change).where('id', '=', keyId).execute()
    const answer = await until(
      () => holder.get('/domains'),
      ({ status }) => status !== 200,
      5000,
    )
    assert.deepEqual([answer.status, answer.body], [401, BAD])
  })
}

test('a key that is yet to expire works', async () => {
  const other = await house.clientOf({})
  await store.db
    .updateTable('api_keys')
    .set({ expires_at: new Date(Date.now() + 60_000) })
    .where('hash', '=', store.vault.fingerprint(other.key!))
    .execute()
  assert.equal((await other.get('/domains')).status, 200)
})

test('while the nameserver zone is a special-use name, a live key is told so', async () => {
  const { key } = await createApiKey(store, {
    workspaceId: FIRST_WORKSPACE,
    world: 'live',
    name: 'live',
    scopes: ['*'],
  })
  refuses(await new Client(client.base, key).get('/domains'), 503, 'live_not_configured')
})

test('liveness and readiness need no key', async () => {
  for (const path of ['/healthz', '/readyz']) {
    assert.equal((await nobody.request('GET', path)).status, 200, path)
  }
})
