/** How often the keys of a workspace may ask, all together. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { createApiKey } from '#store/api-keys.ts'
import { type Answer, Client, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { refuses, tally } from './expect.ts'
import { LIVE } from './live.ts'

const PER_KEY = 8
const PER_MINUTE = 20
const PER_HOUR = 50
const LIMITS = {
  ...LIVE,
  MAILSTEAD_RATE_LIMIT_PER_MINUTE: String(PER_KEY),
  MAILSTEAD_RATE_LIMIT_PER_HOUR: '1000',
  MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_MINUTE: String(PER_MINUTE),
  MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_HOUR: String(PER_HOUR),
  MAILSTEAD_SECRET_KEY: Buffer.alloc(32, 11).toString('base64'),
}
const house = await testHouse(LIMITS)
const second = await testHouse({ ...LIMITS, DATABASE_URL: house.database.url })
after(async () => {
  await second[Symbol.asyncDispose]()
  await house[Symbol.asyncDispose]()
})
const { store } = house

type Workspace = { id: string; key: () => Promise<Client> }

/** A fresh workspace, and keys of it. */
const fresh = (): Workspace => {
  const id = anotherWorkspace()
  return { id, key: () => house.clientOf({ workspace: id }) }
}
const keysOf = ({ key }: Workspace, count: number): Promise<Client[]> =>
  Promise.all(Array.from({ length: count }, key))
const inSecond = ({ key }: Client): Client => new Client(second.client.base, key)
const list = (by: Client): Promise<Answer> => by.get('/domains')
const mail = (by: Client): Promise<Answer> => by.sandbox('GET', '/mail?to=a@inbox.test')
const told = ({ headers }: Answer, name: string): number | undefined => {
  const written = headers.get(`x-ratelimit-${name}`)
  return written === null ? undefined : Number(written)
}

async function times(count: number, ask: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let each = 0; each < count; each += 1) answers.push(await ask())
  return answers
}

/** Uses up what the workspace may ask in a minute, by as many keys as it takes. */
async function useUp(workspace: Workspace, ask = list): Promise<Client[]> {
  const keys = await keysOf(workspace, Math.ceil(PER_MINUTE / (PER_KEY - 1)))
  for (const [index, by] of keys.entries()) {
    const left = PER_MINUTE - index * (PER_KEY - 1)
    const answers = await times(Math.min(left, PER_KEY - 1), () => ask(by))
    assert.ok(answers.every(({ status }) => status === 200))
  }
  return keys
}

/** As if everything that was asked by the workspace had been asked so much earlier. */
async function age({ id }: Workspace, interval: string): Promise<void> {
  const by = sql`${interval}::interval`
  await sql`update workspace_request_counts set minute_began = minute_began - ${by}, hour_began = hour_began - ${by}
             where workspace_id = ${id}`.execute(store.db)
  await sql`update request_counts set minute_began = minute_began - ${by}
             where key_id in (select id from api_keys where workspace_id = ${id})`.execute(store.db)
}

function isLimited(answer: Answer, limit: number, withinS: number): void {
  refuses(answer, 429, 'rate_limited')
  const retryAfterS = Number(answer.headers.get('retry-after'))
  assert.ok(retryAfterS >= 1 && retryAfterS <= withinS, String(retryAfterS))
  assert.equal(answer.body.detail, `Rate limit exceeded. Retry after ${retryAfterS} seconds.`)
  assert.deepEqual([told(answer, 'limit'), told(answer, 'remaining')], [limit, 0])
}

test('many keys of a workspace together are let in as often as the workspace may ask', async () => {
  const workspace = fresh()
  const keys = await keysOf(workspace, 30)
  const answers = await Promise.all(keys.flatMap((by) => [list(by), list(by), list(by)]))
  assert.deepEqual(tally(answers), { 200: PER_MINUTE, 429: 90 - PER_MINUTE })
  const refused = answers.filter(({ status }) => status === 429)
  for (const answer of refused) isLimited(answer, PER_MINUTE, 60)
})

test('a key that a key made counts for the same workspace', async () => {
  const workspace = fresh()
  const keys = await useUp(workspace)
  isLimited(await keys[0]!.post('/keys', { name: 'one more', scopes: ['*'] }), PER_MINUTE, 60)
  isLimited(await list(await workspace.key()), PER_MINUTE, 60)
})

test('another workspace is let in, and so is the other world of the same one', async () => {
  const workspace = fresh()
  const [one] = await useUp(workspace)
  isLimited(await list(one!), PER_MINUTE, 60)
  assert.equal((await list(await fresh().key())).status, 200)
  const wanted = { workspaceId: workspace.id, world: 'live' as const, name: 'live', scopes: ['*'] }
  const live = new Client(one!.base, (await createApiKey(store, wanted)).key)
  assert.equal((await list(live)).status, 200)
})

test('when the minute is over the next begins, and the hour goes on', async () => {
  const workspace = fresh()
  for (const _ of [1, 2]) {
    const [one] = await useUp(workspace)
    isLimited(await list(one!), PER_MINUTE, 60)
    await age(workspace, '61 seconds')
  }
  const by = await keysOf(workspace, 3)
  const answers = await times(PER_HOUR - 2 * PER_MINUTE, () => list(by[answersOf()]!))
  assert.deepEqual(tally(answers), { 200: PER_HOUR - 2 * PER_MINUTE })
  isLimited(await list(by[2]!), PER_HOUR, 3600)
  await age(workspace, '61 seconds')
  isLimited(await list(by[2]!), PER_HOUR, 3600)
  await age(workspace, '1 hour')
  assert.equal((await list(by[2]!)).status, 200)
})

let asked = 0
/** Two keys in turn, so that neither meets its own limit. */
const answersOf = (): number => {
  asked += 1
  return asked % 2
}

test('a key that is refused uses up nothing of its workspace’s', async () => {
  const workspace = fresh()
  const [busy, calm] = await keysOf(workspace, 2)
  const answers = await times(PER_KEY + 40, () => list(busy!))
  assert.deepEqual(tally(answers), { 200: PER_KEY, 429: 40 })
  for (const answer of answers.slice(PER_KEY)) isLimited(answer, PER_KEY, 60)
  assert.deepEqual(tally(await times(PER_KEY, () => list(calm!))), { 200: PER_KEY })
})

test('what the workspace is refused uses up nothing of the key’s', async () => {
  const workspace = fresh()
  await useUp(workspace)
  const by = await workspace.key()
  for (const answer of await times(PER_KEY + 5, () => list(by))) isLimited(answer, PER_MINUTE, 60)
  await age(workspace, '61 seconds')
  assert.deepEqual(tally(await times(PER_KEY, () => list(by))), { 200: PER_KEY })
})

test('the headers tell of the workspace once it has less left than the key', async () => {
  const workspace = fresh()
  const [one, other] = await keysOf(workspace, 2)
  const [first] = await times(1, () => list(one!))
  assert.deepEqual([told(first!, 'limit'), told(first!, 'remaining')], [PER_KEY, PER_KEY - 1])
  await times(PER_KEY - 1, () => list(one!))
  await times(PER_KEY - 2, () => list(other!))
  const third = await workspace.key()
  const answer = await list(third)
  const left = PER_MINUTE - 2 * PER_KEY + 1
  assert.deepEqual([told(answer, 'limit'), told(answer, 'remaining')], [PER_MINUTE, left])
  assert.ok(Math.abs(told(answer, 'reset')! - Date.now() / 1000 - 60) < 15)
})

test('the sandbox’s own calls are counted: by key', async () => {
  const by = await fresh().key()
  const answers = await times(PER_KEY, () => mail(by))
  assert.deepEqual(tally(answers), { 200: PER_KEY })
  assert.deepEqual(told(answers[0]!, 'remaining'), PER_KEY - 1)
  for (const ask of [
    () => mail(by),
    () => by.misbehave('x.test', 'zone_ready', 'slow'),
    () => by.delegate('x.test', ['ada.ns.mailstead.test']),
    () => by.sandbox('POST', '/mail', '{'),
    () => by.sandbox('GET', '/nothing'),
    () => list(by),
  ])
    isLimited(await ask(), PER_KEY, 60)
})

test('and by workspace', async () => {
  const workspace = fresh()
  await useUp(workspace, mail)
  isLimited(await mail(await workspace.key()), PER_MINUTE, 60)
  isLimited(await list(await workspace.key()), PER_MINUTE, 60)
})

test('what has no valid key is not counted, nor is what needs none', async () => {
  const workspace = fresh()
  const by = await workspace.key()
  const nobody = new Client(by.base)
  for (const answer of await times(PER_MINUTE + 5, () => mail(nobody)))
    refuses(answer, 401, 'api_key_required')
  for (const path of ['/healthz', '/readyz', '/openapi.json']) {
    const answer = await by.request('GET', path)
    assert.deepEqual([answer.status, told(answer, 'limit')], [200, undefined])
  }
  assert.equal(told(await list(by), 'remaining'), PER_KEY - 1)
})

test('two processes count a workspace together, however many ask at once', async () => {
  const keys = await keysOf(fresh(), 10)
  const both = keys.flatMap((by) => [by, inSecond(by)])
  const answers = await Promise.all(both.flatMap((by) => [list(by), mail(by)]))
  const sandboxOfSecond = answers.filter(({ status }) => ![200, 429].includes(status))
  assert.deepEqual(sandboxOfSecond, [])
  assert.deepEqual(tally(answers), { 200: PER_MINUTE, 429: 40 - PER_MINUTE })
})

test('without a limit of its own, a workspace may ask five times as often as a key', async () => {
  await using usual = await testHouse({
    MAILSTEAD_RATE_LIMIT_PER_MINUTE: '4',
    MAILSTEAD_RATE_LIMIT_PER_HOUR: '1000',
  })
  const keys = await Promise.all(Array.from({ length: 8 }, () => usual.clientOf({})))
  const answers = await Promise.all(keys.flatMap((by) => [1, 2, 3, 4].map(() => list(by))))
  assert.deepEqual(tally(answers), { 200: 20, 429: 12 })
})

// biome-ignore format: a table
const OFF: readonly [what: string, settings: Record<string, string>, limit: number | undefined][] = [
  ['no limit at all',        { MAILSTEAD_RATE_LIMIT_PER_MINUTE: '0', MAILSTEAD_RATE_LIMIT_PER_HOUR: '0' }, undefined],
  ['only one of a key',      { MAILSTEAD_RATE_LIMIT_PER_MINUTE: '30', MAILSTEAD_RATE_LIMIT_PER_HOUR: '0', MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_MINUTE: '0' }, 30],
  ['only one of a workspace', { MAILSTEAD_RATE_LIMIT_PER_MINUTE: '0', MAILSTEAD_RATE_LIMIT_PER_HOUR: '0', MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_HOUR: '30' }, 30],
]

for (const [what, settings, limit] of OFF) {
  test(`0 switches a limit off: ${what}`, async () => {
    await using other = await testHouse(settings)
    const answers = await times(35, () => list(other.client))
    assert.equal(told(answers[0]!, 'limit'), limit)
    assert.deepEqual(tally(answers), limit ? { 200: 30, 429: 5 } : { 200: 35 })
  })
}

test('windows of a workspace that have ended are forgotten, others are kept', async () => {
  const [old, young] = [fresh(), fresh()]
  for (const { key } of [old, young]) await list(await key())
  await age(old, '61 minutes')
  await age(young, '59 minutes')
  const ids = async () =>
    (await store.db.selectFrom('workspace_request_counts').select('workspace_id').execute()).map(
      (row) => row.workspace_id,
    )
  await using _starting = await testHouse({ ...LIMITS, DATABASE_URL: house.database.url })
  assert.ok((await until(ids, (all) => !all.includes(old.id))).includes(young.id))
})
