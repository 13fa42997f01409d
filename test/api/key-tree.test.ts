/** Keys that keys make: when they end, and what is revoked with what. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { makeApiKey } from '#names/api-key.ts'
import { createApiKey, FIRST_WORKSPACE } from '#store/api-keys.ts'
import { type Answer, Client, type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { hasFields, refuses, tally, UNKNOWN_ID, violates } from './expect.ts'
import { LIVE } from './live.ts'

const bootstrap = makeApiKey('sandbox')
const settings = { ...LIVE, MAILSTEAD_BOOTSTRAP_KEY: bootstrap }
const house = await testHouse(settings)
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const SCOPES = ['keys:all', 'domains:read']
const HOUR_MS = 3_600_000
const inFuture = (ms: number): string => new Date(Date.now() + ms).toISOString()
const make = (by: Client, fields: object = {}): Promise<Answer> =>
  by.post('/keys', { name: 'a key', scopes: SCOPES, ...fields })
type Made = Client & { id: string; expiresAt: string | null; says: string }

/** A key made by a key, and who holds it. */
async function made(by: Client, fields: object = {}): Promise<Made> {
  const { status, body } = await make(by, fields)
  assert.equal(status, 201, JSON.stringify(body))
  const { key_id: id, key, expires_at: expiresAt, message: says } = body
  return Object.assign(new Client(client.base, key), { id, expiresAt, says })
}

const works = async (holder: Client): Promise<boolean> =>
  (await holder.get('/workspace')).status === 200
const whichWork = (holders: readonly Client[]): Promise<boolean[]> =>
  Promise.all(holders.map(works))
const revoke = (id: string, query = '', by = client): Promise<Answer> =>
  by.delete(`/keys/${id}${query}`)
const counts = ({ body }: Answer): number[] => [body.descendants_revoked, body.descendants_left]

/** a makes b and d, b makes c. */
async function family(by = client) {
  const a = await made(by)
  const b = await made(a)
  return { a, b, c: await made(b), d: await made(a) }
}

// biome-ignore format: a table
const ENDS: readonly [what: string, makers: number | null, wished: number | null | undefined, gets: number | null][] = [
  ['no end where the maker has one: the maker’s',   1,    undefined, 1],
  ['null where the maker has one: the maker’s',     1,    null,      1],
  ['a later end than the maker’s: the maker’s',     1,    2,         1],
  ['an earlier one: its own',                       2,    1,         1],
  ['the same',                                      1,    1,         1],
  ['an end where the maker has none: its own',      null, 1,         1],
  ['none where the maker has none: none',           null, undefined, null],
]

for (const [what, makers, wished, gets] of ENDS) {
  test(`a key ends with its maker at the latest. Wished is ${what}`, async () => {
    const now = Date.now()
    const at = (hours: number | null) => hours && new Date(now + hours * HOUR_MS).toISOString()
    const maker = await made(client, { expires_at: at(makers) })
    const key = await made(maker, wished === undefined ? {} : { expires_at: at(wished) })
    assert.equal(key.expiresAt, at(gets))
    const { body } = await client.get(`/keys/${key.id}`)
    assert.equal(body.expires_at, at(gets), 'and it is kept so')
    assert.equal(/ends with the key that made it/.test(key.says), gets !== (wished ?? null))
  })
}

test('a chain of keys ends with its first, however each wishes', async () => {
  const end = inFuture(HOUR_MS)
  let maker = await made(client, { expires_at: end })
  for (const expires_at of [null, inFuture(5 * HOUR_MS), null]) {
    maker = await made(maker, { expires_at })
    assert.equal(maker.expiresAt, end)
  }
})

test('a key that a short-lived key made works until that one’s end, and no longer', async () => {
  const maker = await made(client, { expires_at: inFuture(2000) })
  const key = await made(maker)
  assert.ok(await works(key))
  await until(
    () => works(key),
    (isAlive) => !isAlive,
    6000,
  )
  refuses(await key.get('/workspace'), 401, 'api_key_invalid')
  refuses(await make(maker), 401, 'api_key_invalid')
})

test('nothing is made by a key that has ended a moment ago, even where it is still believed', async () => {
  for (const change of [{ expires_at: new Date() }, { revoked_at: new Date() }]) {
    const workspace = anotherWorkspace()
    const owner = await house.clientOf({ workspace })
    const maker = await made(owner)
    assert.ok(await works(maker))
    await store.db.updateTable('api_keys').set(change).where('id', '=', maker.id).execute()
    refuses(await make(maker), 401, 'api_key_invalid')
    assert.equal((await owner.get('/keys')).body.pagination.total, 'expires_at' in change ? 2 : 1)
  }
})

test('the first key of a workspace ends with the key that made the workspace', async () => {
  const end = inFuture(HOUR_MS)
  const passing = await made(client, { scopes: ['*'], expires_at: end })
  const { body: first } = await passing.post('/workspaces', { name: 'Passing' })
  assert.equal(first.expires_at, end)
  const theirs = new Client(client.base, first.key)
  assert.equal((await theirs.get(`/keys/${first.key_id}`)).body.expires_at, end)
  assert.equal((await made(theirs)).expiresAt, end)
  const { body: lasting } = await client.post('/workspaces', { name: 'Lasting' })
  assert.equal(lasting.expires_at, null)
})

test('a key shows which key made it, in the list and by itself', async () => {
  const { a, b } = await family()
  const { body } = await client.get(`/keys/${b.id}`)
  const fields = 'key_id name scopes expires_at created_at last_used_at created_by_key_id'
  hasFields(body, `success message ${fields}`)
  assert.deepEqual([body.key_id, body.created_by_key_id], [b.id, a.id])
  const { keys } = (await client.get('/keys?limit=100')).body
  assert.equal(keys.find((each: Json) => each.key_id === b.id).created_by_key_id, a.id)
  assert.ok(!JSON.stringify(body).includes('ms_test_'))
})

test('one that the operator made shows none', async () => {
  const owner = await house.clientOf({ workspace: anotherWorkspace() })
  assert.equal((await owner.get('/keys')).body.keys[0].created_by_key_id, null)
})

test('a key that is revoked, unknown, another tenant’s or of the other world is not shown', async () => {
  const { id } = await made(client)
  const stranger = await house.clientOf({ workspace: anotherWorkspace() })
  const wanted = { workspaceId: FIRST_WORKSPACE, name: 'live', scopes: ['*'] }
  const live = await createApiKey(store, { ...wanted, world: 'live' })
  for (const by of [stranger, new Client(client.base, live.key)])
    refuses(await by.get(`/keys/${id}`), 404, 'key_not_found')
  refuses(await client.get(`/keys/${UNKNOWN_ID}`), 404, 'key_not_found')
  violates(await client.get('/keys/x'), ['path', 'key_id'], 'value_error.uuid')
  await revoke(id)
  refuses(await client.get(`/keys/${id}`), 404, 'key_not_found')
})

for (const query of ['', '?descendants=false', '?descendants=0']) {
  test(`revoked alone (${query || 'nothing said'}), the others live on, and the answer counts them`, async () => {
    const { a, b, c, d } = await family()
    const answer = await revoke(a.id, query)
    assert.deepEqual([answer.status, ...counts(answer)], [200, 0, 3])
    assert.match(answer.body.message, /still work: 3\..*descendants=true/)
    assert.deepEqual(await whichWork([a, b, c, d]), [false, true, true, true])
    assert.ok(await works(await made(c)), 'and may make more')
  })
}

test('revoked with its descendants, all of them are refused at once, and no other is', async () => {
  const { a, b, c, d } = await family()
  for (const each of [a, b, c, d]) assert.ok(await works(each))
  const answer = await revoke(b.id, '?descendants=true')
  assert.deepEqual([answer.status, ...counts(answer)], [200, 1, 0])
  assert.deepEqual(await whichWork([a, b, c, d]), [true, false, false, true])
  assert.deepEqual(counts(await revoke(a.id, '?descendants=1')), [1, 0])
  assert.deepEqual(await whichWork([a, d, client]), [false, false, true])
})

test('the descendants of a key that is revoked already can be revoked later, and once', async () => {
  const { a, b, c, d } = await family()
  await revoke(a.id)
  refuses(await revoke(a.id), 404, 'key_not_found')
  assert.deepEqual(counts(await revoke(a.id, '?descendants=true')), [3, 0])
  assert.deepEqual(await whichWork([b, c, d]), [false, false, false])
  refuses(await revoke(a.id, '?descendants=true'), 404, 'key_not_found')
})

test('a key in between that is revoked hides none below it', async () => {
  const { a, b, c } = await family()
  await revoke(b.id)
  assert.deepEqual(counts(await revoke(a.id, '?descendants=true')), [2, 0], 'c and d')
  assert.equal(await works(c), false)
})

test('those that have ended by date are not counted', async () => {
  const { a, c } = await family()
  const ended = { expires_at: new Date(Date.now() - 1000) }
  await store.db.updateTable('api_keys').set(ended).where('id', '=', c.id).execute()
  assert.deepEqual(counts(await revoke(a.id)), [0, 2])
})

test('a key may revoke itself with all it made', async () => {
  const { a, b, c, d } = await family()
  assert.deepEqual(counts(await revoke(a.id, '?descendants=true', a)), [3, 0])
  assert.deepEqual(await whichWork([a, b, c, d]), [false, false, false, false])
})

test('another tenant’s tree, the other world’s, and an unknown one answer alike', async () => {
  const { a, b } = await family()
  const stranger = await house.clientOf({ workspace: anotherWorkspace() })
  for (const id of [a.id, UNKNOWN_ID, FIRST_WORKSPACE])
    refuses(await revoke(id, '?descendants=true', stranger), 404, 'key_not_found')
  const wanted = { workspaceId: FIRST_WORKSPACE, name: 'live', scopes: ['*'] }
  const live = new Client(
    client.base,
    (await createApiKey(store, { ...wanted, world: 'live' })).key,
  )
  refuses(await revoke(a.id, '?descendants=true', live), 404, 'key_not_found')
  assert.deepEqual(await whichWork([a, b]), [true, true])
})

test('what is neither true nor false is refused, and nothing is revoked', async () => {
  const { id } = await made(client)
  for (const word of ['yes', '', 'TRUE', '2'])
    violates(await revoke(id, `?descendants=${word}`), ['query', 'descendants'], 'type_error.enum')
  assert.equal((await client.get(`/keys/${id}`)).status, 200)
})

test('the installation’s keys reach the workspaces that came of a key; others of its workspace do not', async () => {
  const maker = await made(client, { scopes: ['*'] })
  const { body: first } = await maker.post('/workspaces', { name: 'Theirs' })
  const theirs = new Client(client.base, first.key)
  const further = await made(theirs)
  const lesser = await made(client, { scopes: SCOPES })
  assert.deepEqual(counts(await revoke(maker.id, '', lesser)), [0, 0])
  refuses(await revoke(maker.id, '?descendants=true', lesser), 404, 'key_not_found')
  assert.deepEqual(await whichWork([theirs, further]), [true, true])
  assert.deepEqual(counts(await revoke(maker.id, '?descendants=true')), [2, 0])
  assert.deepEqual(await whichWork([theirs, further]), [false, false])
})

test('what came of the bootstrap key can be revoked, though it itself is a setting', async () => {
  await using other = await testHouse(settings)
  const boot = new Client(other.client.base, bootstrap)
  const key = await other.client.post('/keys', { name: 'not of it', scopes: SCOPES })
  const [b, c] = [await make(boot), await make(boot)]
  refuses(await revoke(FIRST_WORKSPACE, '', boot), 404, 'key_not_found')
  assert.deepEqual(counts(await revoke(FIRST_WORKSPACE, '?descendants=true', boot)), [2, 0])
  const alive = [boot, ...[key, b, c].map(({ body }) => new Client(other.client.base, body.key))]
  assert.deepEqual(await whichWork(alive), [true, true, false, false])
})

test('a tree that grows while it is revoked leaves no key alive', async () => {
  const { a, b } = await family()
  const growing = Array.from({ length: 40 }, (_, index) => make(index % 2 ? a : b))
  const revoked = revoke(a.id, '?descendants=true')
  const grown = await Promise.all(growing)
  assert.equal((await revoked).status, 200)
  const tallied = tally(grown)
  assert.equal((tallied[201] ?? 0) + (tallied[401] ?? 0), 40)
  const holders = grown.flatMap(({ body }) => (body.key ? [new Client(client.base, body.key)] : []))
  assert.ok((await whichWork(holders)).every((isAlive) => !isAlive))
  refuses(await revoke(a.id, '?descendants=true'), 404, 'key_not_found')
})
