/** How many keys a workspace may have. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createApiKey, FIRST_WORKSPACE } from '#store/api-keys.ts'
import { type Answer, Client } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { refuses, tally } from './expect.ts'
import { LIVE } from './live.ts'

const QUOTA = 5
const SETTINGS = {
  ...LIVE,
  MAILSTEAD_KEYS_PER_WORKSPACE: String(QUOTA),
  MAILSTEAD_SECRET_KEY: Buffer.alloc(32, 13).toString('base64'),
}
const house = await testHouse(SETTINGS)
after(() => house[Symbol.asyncDispose]())
const { store } = house

const make = (by: Client, fields: object = {}): Promise<Answer> =>
  by.post('/keys', { name: 'a key', scopes: ['*'], ...fields })
/** A workspace with that many keys, the one that is given among them. */
async function owning(count: number): Promise<{ owner: Client; workspace: string; ids: string[] }> {
  const workspace = anotherWorkspace()
  const owner = await house.clientOf({ workspace })
  const ids: string[] = []
  while (ids.length < count - 1) ids.push((await make(owner)).body.key_id)
  return { owner, workspace, ids }
}
const total = async (by: Client): Promise<number> => (await by.get('/keys')).body.pagination.total
const isFull = async (by: Client): Promise<void> => {
  const answer = await make(by)
  refuses(answer, 409, 'too_many_keys')
  assert.equal(answer.body.max_keys, QUOTA)
}

test('a workspace that has all the keys it may is refused another, and told how many that is', async () => {
  const { owner } = await owning(QUOTA)
  await isFull(owner)
  assert.equal(await total(owner), QUOTA)
  assert.equal((await owner.get('/domains')).status, 200, 'and those it has go on working')
})

test('any of its keys is refused', async () => {
  const { owner } = await owning(QUOTA - 1)
  const { body } = await make(owner)
  await isFull(new Client(owner.base, body.key))
})

test('one that is revoked leaves room for one', async () => {
  const { owner, ids } = await owning(QUOTA)
  await isFull(owner)
  await owner.delete(`/keys/${ids[0]}`)
  assert.equal((await make(owner)).status, 201)
  await isFull(owner)
})

test('so does one that has ended', async () => {
  const { owner, ids } = await owning(QUOTA)
  const ended = { expires_at: new Date(Date.now() - 1000) }
  await store.db.updateTable('api_keys').set(ended).where('id', '=', ids[0]!).execute()
  assert.equal((await make(owner)).status, 201)
  await isFull(owner)
})

test('one that is yet to end does not', async () => {
  const { owner } = await owning(QUOTA - 1)
  const expires_at = new Date(Date.now() + 60_000).toISOString()
  assert.equal((await make(owner, { expires_at })).status, 201)
  await isFull(owner)
})

test('what is not valid, or not allowed, is said before that', async () => {
  const { owner, workspace } = await owning(QUOTA)
  assert.equal((await make(owner, { scopes: ['domains:xyz'] })).status, 422)
  await store.db
    .updateTable('api_keys')
    .set({ scopes: ['keys:create'] })
    .where('workspace_id', '=', workspace)
    .execute()
  const lesser = await house.clientOf({ workspace, scopes: ['keys:create'] })
  refuses(await make(lesser), 403, 'insufficient_scopes')
})

test('another workspace, and the other world of the same one, have their own', async () => {
  const { owner, workspace } = await owning(QUOTA)
  await isFull(owner)
  assert.equal((await make((await owning(1)).owner)).status, 201)
  const wanted = { workspaceId: workspace, world: 'live' as const, name: 'live', scopes: ['*'] }
  const live = new Client(owner.base, (await createApiKey(store, wanted)).key)
  const answers: Answer[] = []
  for (let each = 0; each < QUOTA; each += 1) answers.push(await make(live))
  assert.deepEqual(tally(answers), { 201: QUOTA - 1, 409: 1 })
})

test('a workspace that is made begins with one, however many its maker has', async () => {
  const first = await house.clientOf({ workspace: FIRST_WORKSPACE })
  for (let each = 0; each < QUOTA; each += 1) await make(first)
  await isFull(first)
  const { status, body } = await first.post('/workspaces', { name: 'Acme' })
  assert.equal(status, 201)
  assert.equal(await total(new Client(first.base, body.key)), 1)
})

test('of many made at once, at two processes, no more are made than there is room for', async () => {
  await using second = await testHouse({ ...SETTINGS, DATABASE_URL: house.database.url })
  const { owner } = await owning(2)
  const there = new Client(second.client.base, owner.key)
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, index) => make(index % 2 ? owner : there)),
  )
  assert.deepEqual(tally(answers), { 201: QUOTA - 2, 409: 40 - QUOTA + 2 })
  assert.equal(await total(owner), QUOTA)
})

test('the operator is not refused, and what is made at the command line counts', async () => {
  const { owner, workspace } = await owning(QUOTA)
  await house.clientOf({ workspace })
  assert.equal(await total(owner), QUOTA + 1)
  await isFull(owner)
})

test('the request that was refused can be sent again once there is room, with another Idempotency-Key', async () => {
  const { owner, ids } = await owning(QUOTA)
  const ask = (name: string) =>
    owner.request(
      'POST',
      '/api/public/v1/keys',
      { name: 'x', scopes: ['*'] },
      { 'idempotency-key': name },
    )
  refuses(await ask('one'), 409, 'too_many_keys')
  await owner.delete(`/keys/${ids[0]}`)
  refuses(await ask('one'), 409, 'too_many_keys')
  assert.equal((await ask('two')).status, 201)
})
