import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { makeApiKey } from '#names/api-key.ts'
import { type Answer, Client, type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { refuses, tally, UNKNOWN_ID } from './expect.ts'

const PER_MINUTE = 10
const PER_HOUR = 25
/** All keys here are of one workspace, whose limits have tests of their own: workspace-rates.test.ts. */
const LIMITS = {
  MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_MINUTE: '0',
  MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_HOUR: '0',
  MAILSTEAD_RATE_LIMIT_PER_MINUTE: String(PER_MINUTE),
  MAILSTEAD_RATE_LIMIT_PER_HOUR: String(PER_HOUR),
  MAILSTEAD_SECRET_KEY: Buffer.alloc(32, 7).toString('base64'),
}
const house = await testHouse(LIMITS)
const shared = { ...LIMITS, DATABASE_URL: house.database.url }
const second = await testHouse(shared)
after(async () => {
  await second[Symbol.asyncDispose]()
  await house[Symbol.asyncDispose]()
})
const { store } = house

/** A fresh key, whose windows have not begun. */
const fresh = (scopes: readonly string[] = ['*']): Promise<Client> => house.clientOf({ scopes })
const inSecond = ({ key }: Client): Client => new Client(second.client.base, key)
const told = ({ headers }: Answer): (number | undefined)[] =>
  ['limit', 'remaining', 'reset'].map((name) => {
    const written = headers.get(`x-ratelimit-${name}`)
    return written === null ? undefined : Number(written)
  })
const nowS = (): number => Date.now() / 1000

const keyIdOf = async ({ key }: Client): Promise<string> => {
  const hash = store.vault.fingerprint(key!)
  const query = store.db.selectFrom('api_keys').select('id').where('hash', '=', hash)
  return (await query.executeTakeFirstOrThrow()).id
}

/** As if everything it asked had been asked so much earlier. */
async function age(client: Client, interval: string): Promise<void> {
  const by = sql`${interval}::interval`
  await sql`update request_counts set minute_began = minute_began - ${by}, hour_began = hour_began - ${by}
             where key_id = ${await keyIdOf(client)}`.execute(store.db)
}

async function times(count: number, ask: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = []
  for (let each = 0; each < count; each += 1) answers.push(await ask())
  return answers
}

function isLimited(answer: Answer, withinS: number): void {
  refuses(answer, 429, 'rate_limited')
  const retryAfterS = Number(answer.headers.get('retry-after'))
  assert.ok(retryAfterS >= 1 && retryAfterS <= withinS, String(retryAfterS))
  assert.deepEqual(answer.body, {
    detail: `Rate limit exceeded. Retry after ${retryAfterS} seconds.`,
    error: 'rate_limited',
  })
  const [, remaining, reset] = told(answer)
  assert.equal(remaining, 0)
  assert.ok(Math.abs(reset! - nowS() - retryAfterS) < 5)
}

test('so many requests a minute are let in, counting down, and the next is told when to come back', async () => {
  const client = await fresh()
  const answers = await times(PER_MINUTE, () => client.get('/domains'))
  assert.deepEqual(tally(answers), { 200: PER_MINUTE })
  const down = answers.map((answer) => told(answer).slice(0, 2))
  assert.deepEqual(
    down,
    Array.from({ length: PER_MINUTE }, (_, index) => [PER_MINUTE, PER_MINUTE - 1 - index]),
  )
  const resets = new Set(answers.map((answer) => told(answer)[2]))
  assert.equal(resets.size, 1, 'a window has one end')
  const left = [...resets][0]! - nowS()
  assert.ok(left > 40 && left <= 61, String(left))
  isLimited(await client.get('/domains'), 60)
})

test('when the minute is over, the next begins', async () => {
  const client = await fresh()
  await times(PER_MINUTE + 1, () => client.get('/domains'))
  await age(client, '61 seconds')
  const answer = await client.get('/domains')
  assert.equal(answer.status, 200)
  assert.deepEqual(told(answer).slice(0, 2), [PER_MINUTE, PER_MINUTE - 1])
})

test('the hour is told of once it is the tighter one, and lasts when the minute is over', async () => {
  const client = await fresh()
  for (const _ of [1, 2]) {
    await times(PER_MINUTE, () => client.get('/domains'))
    await age(client, '61 seconds')
  }
  const answer = await client.get('/domains')
  assert.deepEqual(told(answer).slice(0, 2), [PER_HOUR, PER_HOUR - 21])
  assert.ok(told(answer)[2]! - nowS() > 3000)
  assert.deepEqual(tally(await times(4, () => client.get('/domains'))), { 200: 4 })
  await age(client, '61 seconds')
  isLimited(await client.get('/domains'), 3600)
  await age(client, '1 hour')
  assert.equal((await client.get('/domains')).status, 200)
})

test('what is refused is not counted: a minute of asking in vain does not use the hour up', async () => {
  const client = await fresh()
  const answers = await times(PER_MINUTE + 30, () => client.get('/domains'))
  assert.deepEqual(tally(answers), { 200: PER_MINUTE, 429: 30 })
  await age(client, '61 seconds')
  assert.equal((await client.get('/domains')).status, 200)
})

test('every answer to a valid key tells of it, errors too', async () => {
  const asks: [
    what: string,
    status: number,
    scopes: string[],
    ask: (by: Client) => Promise<Answer>,
  ][] =
    // biome-ignore format: a table
    [
      ['a list',             200, ['*'], (by) => by.get('/domains')],
      ['without the scope',  403, ['replies:read'], (by) => by.get('/domains')],
      ['an unknown id',      404, ['*'], (by) => by.get(`/domains/${UNKNOWN_ID}`)],
      ['no id',              422, ['*'], (by) => by.get('/domains/x')],
      ['an invalid body',    422, ['*'], (by) => by.post('/domains', {})],
      ['no JSON',            400, ['*'], (by) => by.post('/domains', '{')],
      ['an unknown path',    404, ['*'], (by) => by.get('/nothing/of/the/kind')],
      ['an unknown method',  404, ['*'], (by) => by.request('PUT', '/api/public/v1/domains', {})],
      ['HEAD',               200, ['*'], (by) => by.request('HEAD', '/api/public/v1/domains')],
      ['a path written otherwise', 200, ['*'], (by) => by.request('GET', '/api/public/%761/domains/')],
    ]
  for (const [what, status, scopes, ask] of asks) {
    const answer = await ask(await fresh(scopes))
    assert.equal(answer.status, status, what)
    assert.deepEqual(told(answer).slice(0, 2), [PER_MINUTE, PER_MINUTE - 1], what)
  }
})

test('a limited key is limited whatever it asks, and before its scopes are judged', async () => {
  const client = await fresh(['replies:read'])
  await times(PER_MINUTE, () => client.get('/replies'))
  for (const ask of [
    () => client.get('/replies'),
    () => client.get('/domains'),
    () => client.post('/domains', '{'),
    () => client.get('/nothing'),
  ])
    isLimited(await ask(), 60)
})

test('each key is counted by itself', async () => {
  const [one, other] = [await fresh(), await fresh()]
  await times(PER_MINUTE + 1, () => one.get('/domains'))
  assert.deepEqual(told(await other.get('/domains')).slice(0, 2), [PER_MINUTE, PER_MINUTE - 1])
})

test('without a valid key nothing is told and nothing is counted', async () => {
  const rows = async () =>
    (await store.db.selectFrom('request_counts').select('key_id').execute()).length
  const before = await rows()
  for (const client of [
    new Client(house.client.base),
    new Client(house.client.base, makeApiKey('sandbox')),
  ]) {
    for (const answer of await times(PER_MINUTE + 5, () => client.get('/domains'))) {
      assert.equal(answer.status, 401)
      assert.deepEqual(told(answer), [undefined, undefined, undefined])
    }
  }
  assert.equal(await rows(), before)
})

test('liveness is not counted', async () => {
  const client = await fresh()
  const answer = await client.request('GET', '/healthz')
  assert.equal(answer.status, 200)
  assert.deepEqual(told(answer), [undefined, undefined, undefined])
  assert.deepEqual(told(await client.get('/domains'))[1], PER_MINUTE - 1)
})

test('two processes count together, and let in no more than one would, however many ask at once', async () => {
  const client = await fresh()
  const both = [client, inSecond(client)]
  const answers = await Promise.all(
    Array.from({ length: 60 }, (_, index) => both[index % 2]!.get('/domains')),
  )
  assert.deepEqual(tally(answers), { 200: PER_MINUTE, 429: 60 - PER_MINUTE })
  const left = answers.filter(({ status }) => status === 200).map((answer) => told(answer)[1])
  assert.deepEqual(
    left.toSorted((a, b) => a! - b!),
    Array.from({ length: PER_MINUTE }, (_, index) => index),
  )
  for (const each of both) isLimited(await each.get('/domains'), 60)
})

test('0 switches a limit off, and both off tell nothing', async () => {
  await using hourly = await testHouse({ ...shared, MAILSTEAD_RATE_LIMIT_PER_MINUTE: '0' })
  const client = await fresh()
  const there = new Client(hourly.client.base, client.key)
  const answers = await times(PER_HOUR, () => there.get('/domains'))
  assert.deepEqual(tally(answers), { 200: PER_HOUR })
  assert.deepEqual(told(answers[0]!).slice(0, 2), [PER_HOUR, PER_HOUR - 1])
  isLimited(await there.get('/domains'), 3600)

  await using free = await testHouse({
    ...shared,
    MAILSTEAD_RATE_LIMIT_PER_MINUTE: '0',
    MAILSTEAD_RATE_LIMIT_PER_HOUR: '0',
  })
  const answer = await new Client(free.client.base, client.key).get('/domains')
  assert.equal(answer.status, 200)
  assert.deepEqual(told(answer), [undefined, undefined, undefined])
})

test('the other 429s keep their Retry-After, beside what is told of the key', async () => {
  await using strict = await testHouse({ ...LIMITS, MAILSTEAD_ADDS_PER_NAME_PER_HOUR: '1' })
  const { client } = strict
  const { body: added }: { body: Json } = await client.post('/domains', { domain: 'often.test' })
  await client.delete(`/domains/${added.domain_id}`)
  await until(
    () => strict.store.db.selectFrom('domains').select('removed_at').execute(),
    ([row]) => row?.removed_at !== null,
  )
  const again = await client.post('/domains', { domain: 'often.test' })
  refuses(again, 429, 'too_many_adds')
  assert.equal(again.headers.get('retry-after'), '3600')
  assert.deepEqual(told(again).slice(0, 2), [PER_MINUTE, PER_MINUTE - 3])
})

test('windows that have ended are forgotten, those that have not are kept', async () => {
  const [old, young] = [await fresh(), await fresh()]
  for (const client of [old, young]) await client.get('/domains')
  await age(old, '61 minutes')
  await age(young, '59 minutes')
  const [gone, kept] = [await keyIdOf(old), await keyIdOf(young)]
  const rows = async () =>
    (await store.db.selectFrom('request_counts').select('key_id').execute()).map(
      (row) => row.key_id,
    )
  await using _starting = await testHouse(shared)
  assert.ok((await until(rows, (ids) => !ids.includes(gone))).includes(kept))
})

test('what is counted outlives no crash, and costs no write to the log', async () => {
  const { rows } = await sql<{ relpersistence: string }>`
    select relpersistence from pg_class where relname = 'request_counts'`.execute(store.db)
  assert.deepEqual(rows, [{ relpersistence: 'u' }])
})
