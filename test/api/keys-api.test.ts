import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { worldOfKey } from '#names/api-key.ts'
import { createApiKey, FIRST_WORKSPACE } from '#store/api-keys.ts'
import { type Answer, Client, type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { hasFields, isInstant, refuses, UNKNOWN_ID, violates } from './expect.ts'
import { LIVE } from './live.ts'

const settings = { ...LIVE, MAILSTEAD_SECRET_KEY: Buffer.alloc(32, 5).toString('base64') }
const house = await testHouse(settings)
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const make = (fields: object, by = client): Promise<Answer> =>
  by.post('/keys', { name: 'a key', scopes: ['domains:read'], ...fields })
const made = async (fields: object, by = client): Promise<Json> => {
  const { status, body } = await make(fields, by)
  assert.equal(status, 201, JSON.stringify(body))
  return body
}
const holderOf = ({ key }: { key: string }, base = client.base): Client => new Client(base, key)
const inFuture = (ms: number): string => new Date(Date.now() + ms).toISOString()
const listed = async (by = client): Promise<Json[]> => (await by.get('/keys?limit=100')).body.keys
const liveClient = async (workspaceId = FIRST_WORKSPACE): Promise<Client> => {
  const wanted = { workspaceId, world: 'live' as const, name: 'live', scopes: ['*'] }
  return holderOf(await createApiKey(store, wanted))
}

test('a key is made, shown once, and works', async () => {
  const expires_at = inFuture(3_600_000)
  const { status, body } = await make({
    name: 'CI',
    scopes: ['domains:all', 'keys:read'],
    expires_at,
  })
  assert.equal(status, 201)
  hasFields(body, 'success message key_id key name scopes expires_at created_at')
  isInstant(body.created_at)
  assert.equal(worldOfKey(body.key), 'sandbox')
  assert.deepEqual(
    [body.name, body.scopes, body.expires_at],
    ['CI', ['domains:all', 'keys:read'], expires_at],
  )
  const holder = holderOf(body)
  assert.equal((await holder.get('/domains')).status, 200)
  refuses(await holder.get('/replies'), 403, 'insufficient_scopes')
  refuses(await make({}, holder), 403, 'insufficient_scopes')
})

test('the list has every key, newest first, and the key itself of none', async () => {
  const owner = await house.clientOf({ workspace: anotherWorkspace() })
  const ids: string[] = []
  for (const name of ['one', 'two', 'three']) ids.unshift((await made({ name }, owner)).key_id)
  const { status, body } = await owner.get('/keys')
  assert.equal(status, 200)
  hasFields(body, 'success message keys pagination')
  assert.deepEqual(
    body.keys.slice(0, 3).map((each: Json) => each.key_id),
    ids,
  )
  assert.equal(body.pagination.total, 4, 'the one that made them too')
  for (const each of body.keys)
    hasFields(each, 'key_id name scopes expires_at created_at last_used_at created_by_key_id')
  assert.ok(!JSON.stringify(body).includes('ms_test_'))
  const { body: paged } = await owner.get('/keys?limit=2&page=2')
  assert.deepEqual(paged.keys[0].key_id, ids[2])
  assert.deepEqual([paged.pagination.pages, paged.pagination.has_next], [2, false])
})

// biome-ignore format: a table
const GRANTS: readonly [held: string[], asked: string[], missing: string[]][] = [
  [['*'],                            ['*'],                                []],
  [['*'],                            ['keys:all', 'domains:read'],         []],
  [['keys:create'],                  ['keys:create'],                      []],
  [['keys:create', 'domains:all'],   ['domains:read', 'domains:all'],      []],
  [['keys:all'],                     ['keys:delete', 'keys:all'],          []],
  [['keys:create'],                  ['*'],                                ['*']],
  [['keys:create'],                  ['keys:all'],                         ['keys:all']],
  [['keys:create'],                  ['keys:create', 'keys:read'],         ['keys:read']],
  [['keys:all', 'domains:read'],     ['domains:create', 'replies:read', 'domains:read'], ['domains:create', 'replies:read']],
  [['keys:create', 'domains:create', 'domains:read', 'domains:update', 'domains:delete'], ['domains:all'], ['domains:all']],
]

for (const [held, asked, missing] of GRANTS) {
  const verdict = missing.length === 0 ? 'is made' : `lacks ${missing}`
  test(`only what the caller holds can be given: with ${held}, one for ${asked} ${verdict}`, async () => {
    const answer = await make({ scopes: asked }, await house.clientOf({ scopes: held }))
    if (missing.length === 0) return assert.equal(answer.status, 201)
    assert.deepEqual(
      [answer.status, answer.body],
      [
        403,
        {
          detail: `Missing required scopes: ${missing.join(', ')}`,
          error: 'insufficient_scopes',
          required: missing,
          granted: held,
        },
      ],
    )
  })
}

for (const [method, path, scope] of [
  ['POST', '/keys', 'keys:create'],
  ['GET', '/keys', 'keys:read'],
  ['GET', `/keys/${UNKNOWN_ID}`, 'keys:read'],
  ['DELETE', `/keys/${UNKNOWN_ID}`, 'keys:delete'],
] as const) {
  test(`${method} ${path.replace(UNKNOWN_ID, '{key_id}')} needs ${scope} or keys:all`, async () => {
    const ask = async (scopes: string[]) =>
      (await house.clientOf({ scopes })).request(
        method,
        `/api/public/v1${path}`,
        method === 'POST' ? { name: 'x', scopes: ['keys:create'] } : undefined,
      )
    for (const scopes of [[scope], ['keys:all'], ['*']])
      assert.notEqual((await ask(scopes)).body.error, 'insufficient_scopes', String(scopes))
    const others = ['keys:create', 'keys:read', 'keys:delete', 'domains:all'].filter(
      (each) => each !== scope,
    )
    const refused = await ask(others)
    refuses(refused, 403, 'insufficient_scopes')
    assert.deepEqual(refused.body.required, [scope])
  })
}

test('scopes that are asked for twice are given once', async () => {
  assert.deepEqual((await made({ scopes: ['keys:read', 'keys:read'] })).scopes, ['keys:read'])
})

// biome-ignore format: a table
const BAD: readonly [what: string, fields: object, loc: (string | number)[], type: string][] = [
  ['no name',              { name: undefined },                   ['body', 'name'],        'value_error.missing'],
  ['an empty name',        { name: '' },                          ['body', 'name'],        'value_error.any_str.min_length'],
  ['a long name',          { name: 'x'.repeat(256) },             ['body', 'name'],        'value_error.any_str.max_length'],
  ['a null character',     { name: 'a\u0000b' },                  ['body', 'name'],        'value_error.str.regex'],
  ['no scopes',            { scopes: undefined },                 ['body', 'scopes'],      'value_error.missing'],
  ['an empty list',        { scopes: [] },                        ['body', 'scopes'],      'value_error.list.min_items'],
  ['too many scopes',      { scopes: Array(51).fill('a:read') },  ['body', 'scopes'],      'value_error.list.max_items'],
  ['a scope of one word',  { scopes: ['keys:read', 'domains'] },  ['body', 'scopes', 1],   'value_error.str.regex'],
  ['an action there is none of', { scopes: ['keys:read', 'domains:xyz'] }, ['body', 'scopes', 1], 'type_error.enum'],
  ['another resource’s action', { scopes: ['domains:pause'] }, ['body', 'scopes', 0],      'type_error.enum'],
  ['a resource there is none of', { scopes: ['mailboxes:read'] }, ['body', 'scopes', 0],   'type_error.enum'],
  ['one resource of many', { scopes: ['domain:all'] },            ['body', 'scopes', 0],   'type_error.enum'],
  ['a word that objects have', { scopes: ['constructor:all'] },   ['body', 'scopes', 0],   'type_error.enum'],
  ['a capital',            { scopes: ['Domains:read'] },          ['body', 'scopes', 0],   'value_error.str.regex'],
  ['a star for the action', { scopes: ['domains:*'] },            ['body', 'scopes', 0],   'value_error.str.regex'],
  ['no list',              { scopes: '*' },                       ['body', 'scopes'],      'type_error.list'],
  ['an end in the past',   { expires_at: inFuture(-1000) },       ['body', 'expires_at'],  'value_error.datetime'],
  ['an end without zone',  { expires_at: '2999-01-01T00:00:00' }, ['body', 'expires_at'],  'value_error.datetime'],
  ['an end on no day',     { expires_at: '2999-02-30T00:00:00Z' }, ['body', 'expires_at'], 'value_error.datetime'],
  ['an end in words',      { expires_at: 'tomorrow' },            ['body', 'expires_at'],  'value_error.datetime'],
  ['an end in numbers',    { expires_at: 1_900_000_000 },         ['body', 'expires_at'],  'type_error.str'],
]

for (const [what, fields, loc, type] of BAD) {
  test(`what makes no sense is refused with 422, and nothing is made: ${what}`, async () => {
    const before = (await listed()).length
    violates(await make(fields), loc, type)
    assert.equal((await listed()).length, before)
  })
}

test('a scope that there is none of is named, each by itself, with those there are', async () => {
  const { status, body } = await make({ scopes: ['leads:update', 'keys:read', 'domains:xyz'] })
  assert.equal(status, 422)
  assert.deepEqual(
    body.detail.map(({ loc, msg }: Json) => [loc[2], msg.split(';')[0]]),
    [
      [0, 'there is no scope leads:update'],
      [2, 'there is no scope domains:xyz'],
    ],
  )
  assert.match(body.detail[0].msg, /there are \*, domains:create, /)
})

test('every scope that there is can be given, and the document lists them', async () => {
  const document = (await client.request('GET', '/openapi.json')).body
  const { schema } =
    document.paths['/api/public/v1/keys'].post.requestBody.content['application/json']
  const scopes: string[] = schema.properties.scopes.items.enum
  assert.ok(scopes.length > 30 && scopes.includes('*') && scopes.includes('webhooks:all'))
  assert.deepEqual((await made({ scopes })).scopes, scopes)
})

test('a key may end: with a zone of its own, at the very time, or never', async () => {
  const { expires_at } = await made({ expires_at: '2999-12-31T23:59:59+02:00' })
  assert.equal(expires_at, '2999-12-31T21:59:59.000Z')
  assert.equal((await made({ expires_at: null })).expires_at, null)
  const holder = holderOf(await made({ expires_at: inFuture(1500) }))
  assert.equal((await holder.get('/domains')).status, 200)
  const answer = await until(
    () => holder.get('/domains'),
    ({ status }) => status !== 200,
    6000,
  )
  refuses(answer, 401, 'api_key_invalid')
})

test('a revoked key is refused at once, here, however busy it is', async () => {
  const { key, key_id } = await made({})
  const holder = holderOf({ key })
  assert.equal((await holder.get('/domains')).status, 200)
  const { status, body } = await client.delete(`/keys/${key_id}`)
  assert.equal(status, 200)
  const none = { descendants_revoked: 0, descendants_left: 0 }
  assert.deepEqual(body, { success: true, message: 'Key revoked.', key_id, ...none })
  refuses(await holder.get('/domains'), 401, 'api_key_invalid')
  assert.ok((await listed()).every((each) => each.key_id !== key_id))
  refuses(await client.delete(`/keys/${key_id}`), 404, 'key_not_found')
})

test('a revoked key is refused by other processes within seconds', async () => {
  await using second = await testHouse({ ...settings, DATABASE_URL: house.database.url })
  const { key, key_id } = await made({})
  const there = holderOf({ key }, second.client.base)
  assert.equal((await there.get('/domains')).status, 200)
  await client.delete(`/keys/${key_id}`)
  const answer = await until(
    () => there.get('/domains'),
    ({ status }) => status !== 200,
    4000,
  )
  refuses(answer, 401, 'api_key_invalid')
})

test('a key may end itself', async () => {
  const { key, key_id } = await made({ scopes: ['keys:delete'] })
  const holder = holderOf({ key })
  assert.equal((await holder.delete(`/keys/${key_id}`)).status, 200)
  refuses(await holder.delete(`/keys/${key_id}`), 401, 'api_key_invalid')
})

test('another workspace’s key, the other world’s, and one that nobody has answer alike', async () => {
  const { key, key_id } = await made({})
  const stranger = await house.clientOf({ workspace: anotherWorkspace() })
  for (const other of [stranger, await liveClient()]) {
    const theirs = await other.delete(`/keys/${key_id}`)
    const nothing = await other.delete(`/keys/${UNKNOWN_ID}`)
    refuses(nothing, 404, 'key_not_found')
    assert.deepEqual(theirs.body, nothing.body)
    assert.equal(theirs.status, nothing.status)
    assert.ok((await listed(other)).every((each) => each.key_id !== key_id))
  }
  violates(await client.delete('/keys/not-a-uuid'), ['path', 'key_id'], 'value_error.uuid')
  assert.equal((await holderOf({ key }).get('/domains')).status, 200)
})

test('a live key makes live keys, and a key stays in its workspace', async () => {
  const workspace = anotherWorkspace()
  await house.clientOf({ workspace })
  const owner = await liveClient(workspace)
  const { key } = await made({ scopes: ['*'] }, owner)
  assert.equal(worldOfKey(key), 'live')
  const { body } = await holderOf({ key }).get('/workspace')
  assert.deepEqual([body.workspace_id, body.world], [workspace, 'live'])
})

test('any key may ask whose it is', async () => {
  const nobody = await house.clientOf({ scopes: [] })
  const { status, body } = await nobody.get('/workspace')
  assert.equal(status, 200)
  hasFields(body, 'success message workspace_id name world created_at')
  isInstant(body.created_at)
  assert.deepEqual(
    [body.workspace_id, body.name, body.world],
    [FIRST_WORKSPACE, 'First workspace', 'sandbox'],
  )
  refuses(await new Client(client.base).get('/workspace'), 401, 'api_key_required')
})

test('the last use of a key is noted, once a minute at most, in any process', async () => {
  const { key, key_id } = await made({})
  const seen = async () => (await listed()).find((each) => each.key_id === key_id).last_used_at
  assert.equal(await seen(), null)
  await holderOf({ key }).get('/domains')
  const first = await until(seen, (at) => at !== null)
  isInstant(first)
  assert.ok(Math.abs(Date.now() - Date.parse(first)) < 10_000)

  // Another process has not noted it yet, and asks the row whether it is time.
  const shift = (by: string) =>
    sql`update api_keys set last_used_at = now() - ${by}::interval where id = ${key_id}`.execute(
      store.db,
    )
  await shift('50 seconds')
  const fresh = await seen()
  {
    await using second = await testHouse({ ...settings, DATABASE_URL: house.database.url })
    await holderOf({ key }, second.client.base).get('/domains')
  }
  assert.equal(await seen(), fresh)
  await shift('70 seconds')
  const old = await seen()
  await holderOf({ key }).get('/domains')
  assert.equal(await seen(), old, 'this process has noted it within the minute')
  {
    await using third = await testHouse({ ...settings, DATABASE_URL: house.database.url })
    await holderOf({ key }, third.client.base).get('/domains')
  }
  assert.notEqual(await seen(), old)
})

test('a refused request is a use of its key too, and one at the sandbox', async () => {
  const keys = [await made({}), await made({})]
  await holderOf(keys[0]!).get('/replies')
  await holderOf(keys[1]!).sandbox('GET', '/mail?to=a@inbox.test')
  for (const { key_id } of keys) {
    await until(listed, (all) => all.find((each) => each.key_id === key_id).last_used_at !== null)
  }
})

test('the installation’s own key makes room for others', async () => {
  const { status, body } = await client.post('/workspaces', { name: 'Acme' })
  assert.equal(status, 201, JSON.stringify(body))
  hasFields(body, 'success message workspace_id name created_at world key_id key expires_at')
  const theirs = holderOf(body)
  const { body: whose } = await theirs.get('/workspace')
  assert.deepEqual([whose.workspace_id, whose.name], [body.workspace_id, 'Acme'])
  assert.equal((await theirs.post('/domains', { domain: 'room.test' })).status, 201)
  assert.equal((await client.get('/domains?search=room.test')).body.pagination.total, 0)
  const { body: all } = await client.get('/workspaces')
  const mine = all.workspaces.find(({ name }: Json) => name === 'Acme')
  hasFields(mine, 'workspace_id name created_at')
  assert.ok(all.pagination.total >= 2)
})

test('nobody else does', async () => {
  const lesser = holderOf(await made({ scopes: ['domains:all', 'keys:all'] }))
  const other = holderOf((await client.post('/workspaces', { name: 'Other' })).body)
  for (const by of [lesser, other]) {
    refuses(await by.post('/workspaces', { name: 'Mine' }), 403, 'installation_key_required')
    refuses(await by.get('/workspaces'), 403, 'installation_key_required')
  }
  violates(await client.post('/workspaces', {}), ['body', 'name'], 'value_error.missing')
})
