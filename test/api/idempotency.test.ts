import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { makeApiKey } from '#names/api-key.ts'
import { openDatabase } from '#store/database.ts'
import { type Answer, Client, type Json, until } from '../client.ts'
import { testDatabase } from '../database.ts'
import { temporaryDirectory } from '../directories.ts'
import { testHouse } from '../house.ts'
import { startProduct } from '../product.ts'
import { refuses, tally, violates } from './expect.ts'

const SHARED = { MAILSTEAD_SECRET_KEY: Buffer.alloc(32, 9).toString('base64') }
const house = await testHouse(SHARED)
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const post = (by: Client, path: string, body: unknown, name: string): Promise<Answer> =>
  by.request('POST', `/api/public/v1${path}`, body, { 'idempotency-key': name })
const add = (domain: string, name: string, by = client): Promise<Answer> =>
  post(by, '/domains', { domain }, name)
const isReplayed = ({ headers }: Answer): boolean => headers.get('idempotency-replayed') === 'true'
const domainsOf = async (domain: string): Promise<number> =>
  (await store.db.selectFrom('domains').select('id').where('name', '=', domain).execute()).length
const rowOf = (name: string) =>
  store.db.selectFrom('idempotent_requests').selectAll().where('name', '=', name).executeTakeFirst()
const change = (name: string, values: Record<string, unknown>) =>
  store.db.updateTable('idempotent_requests').set(values).where('name', '=', name).execute()
/** As a process leaves it that is killed in the middle. */
const abandon = (name: string, leftS: number) =>
  change(name, {
    answer: null,
    status: null,
    content_type: null,
    lease_until: sql`now() + ${leftS} * interval '1 second'`,
  })

test('the same request under the same name is answered with what was answered before', async () => {
  const first = await add('once.test', 'once')
  assert.equal(first.status, 201)
  assert.ok(!isReplayed(first))
  await client.delete(`/domains/${first.body.domain_id}`)
  for (const again of [await add('once.test', 'once'), await add('once.test', 'once')]) {
    assert.deepEqual([again.status, again.body], [201, first.body])
    assert.ok(isReplayed(again))
    assert.equal(again.headers.get('content-type'), first.headers.get('content-type'))
    assert.notEqual(again.headers.get('x-request-id'), first.headers.get('x-request-id'))
  }
  assert.equal(await domainsOf('once.test'), 1)
})

test('without a name, the same request is done again', async () => {
  const first = await client.post('/domains', { domain: 'nameless.test' })
  const again = await client.post('/domains', { domain: 'nameless.test' })
  assert.deepEqual([first.status, again.status], [201, 409])
  assert.ok(!isReplayed(again))
})

test('an error is an answer too', async () => {
  const invalid = await post(client, '/domains', { domain: '' }, 'invalid')
  assert.equal(invalid.status, 422)
  const again = await post(client, '/domains', { domain: '' }, 'invalid')
  assert.deepEqual([again.status, again.body, isReplayed(again)], [422, invalid.body, true])

  await client.post('/domains', { domain: 'had.test' })
  refuses(await add('had.test', 'had'), 409, 'domain_exists')
  const had = await add('had.test', 'had')
  refuses(had, 409, 'domain_exists')
  assert.ok(isReplayed(had))
})

test('another request under the same name is refused, and not done', async () => {
  assert.equal((await add('mine.test', 'taken')).status, 201)
  // biome-ignore format: a table
  const others: readonly [path: string, body: unknown][] = [
    ['/domains',                     { domain: 'another.test' }],
    ['/domains',                     { domain: 'mine.test', auto_activate: false }],
    ['/domains?x=1',                 { domain: 'mine.test' }],
    ['/domains',                     undefined],
    ['/sender-accounts/coldsend-native', { domain: 'mine.test' }],
  ]
  for (const [path, body] of others)
    refuses(await post(client, path, body, 'taken'), 409, 'idempotency_mismatch')
  assert.equal(await domainsOf('another.test'), 0)
  assert.ok(isReplayed(await add('mine.test', 'taken')))
})

test('a hundred at once with one name make one domain, and one of them is told so', async () => {
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => add('hundred.test', 'hundred')),
  )
  const made = answers.filter(({ status }) => status === 201)
  assert.equal(made.filter((answer) => !isReplayed(answer)).length, 1)
  for (const { body } of made) assert.deepEqual(body, made[0]!.body)
  for (const answer of answers.filter(({ status }) => status !== 201))
    refuses(answer, 409, 'idempotency_in_progress')
  assert.equal(await domainsOf('hundred.test'), 1)
  const later = await add('hundred.test', 'hundred')
  assert.deepEqual([later.body, isReplayed(later)], [made[0]!.body, true])
})

test('a hundred at once without a name make one domain as well', async () => {
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => client.post('/domains', { domain: 'hundred-bare.test' })),
  )
  assert.deepEqual(tally(answers), { 201: 1, 409: 99 })
  assert.equal(await domainsOf('hundred-bare.test'), 1)
})

test('a hundred at once with a name each make one domain as well', async () => {
  const answers = await Promise.all(
    Array.from({ length: 100 }, (_, index) => add('hundred-named.test', `named-${index}`)),
  )
  assert.deepEqual(tally(answers), { 201: 1, 409: 99 })
  assert.equal(await domainsOf('hundred-named.test'), 1)
})

test('two processes keep one memory', async () => {
  await using second = await testHouse({ ...SHARED, DATABASE_URL: house.database.url })
  const there = new Client(second.client.base, client.key)
  const first = await add('both.test', 'both')
  const again = await add('both.test', 'both', there)
  assert.deepEqual([again.body, isReplayed(again)], [first.body, true])
  refuses(await add('not-both.test', 'both', there), 409, 'idempotency_mismatch')
})

test('a name is its key’s own: another key may use it, and learns nothing', async () => {
  const other = await house.clientOf({})
  const first = await add('own.test', 'own')
  const theirs = await add('own.test', 'own', other)
  assert.ok(!isReplayed(theirs))
  refuses(theirs, 409, 'domain_exists')
  assert.equal(first.status, 201)
})

test('while the first is under way, the second is told to wait; the first is not disturbed', async () => {
  await client.misbehave('under-way.test', 'zone_ready', 'slow', 1)
  const first = add('under-way.test', 'under-way')
  await until(
    () => rowOf('under-way'),
    (row) => row !== undefined,
  )
  refuses(await add('under-way.test', 'under-way'), 409, 'idempotency_in_progress')
  refuses(await add('elsewhere.test', 'under-way'), 409, 'idempotency_mismatch')
  const answer = await first
  assert.equal(answer.status, 201)
  assert.deepEqual((await add('under-way.test', 'under-way')).body, answer.body)
})

test('who hangs up before the answer finds it when they ask again', async () => {
  await client.misbehave('hung-up.test', 'zone_ready', 'slow', 1)
  const asked = fetch(`${client.base}/api/public/v1/domains`, {
    method: 'POST',
    headers: {
      'x-api-key': client.key!,
      'content-type': 'application/json',
      'idempotency-key': 'hung-up',
    },
    body: '{"domain":"hung-up.test"}',
    signal: AbortSignal.timeout(300),
  })
  await assert.rejects(asked)
  const answer = await until(
    () => add('hung-up.test', 'hung-up'),
    ({ body }: Json) => body.error !== 'idempotency_in_progress',
  )
  assert.deepEqual([answer.status, isReplayed(answer)], [201, true])
  assert.equal(await domainsOf('hung-up.test'), 1)
})

test('a name whose request was abandoned is held until its lease ends, and then free for that request', async () => {
  await add('left.test', 'left')
  await abandon('left', 5)
  refuses(await add('left.test', 'left'), 409, 'idempotency_in_progress')
  await abandon('left', 0)
  refuses(await add('left-other.test', 'left'), 409, 'idempotency_mismatch')
  const again = await add('left.test', 'left')
  assert.ok(!isReplayed(again), 'it was done again')
  refuses(again, 409, 'domain_exists')
  assert.ok(isReplayed(await add('left.test', 'left')))
})

test('a late answer of a request that lost its lease replaces nobody’s', async () => {
  await client.misbehave('late.test', 'zone_ready', 'slow', 1)
  const late = add('late.test', 'late')
  await until(
    () => rowOf('late'),
    (row) => row !== undefined,
  )
  await abandon('late', 0)
  const again = await add('late.test', 'late')
  refuses(again, 409, 'domain_exists')
  assert.equal((await late).status, 201)
  const kept = await add('late.test', 'late')
  assert.deepEqual([kept.body, isReplayed(kept)], [again.body, true])
})

test('a day later the name is free for any request', async () => {
  await add('day.test', 'day')
  await change('day', { created_at: sql`now() - interval '24 hours'` })
  const other = await add('day-after.test', 'day')
  assert.deepEqual([other.status, isReplayed(other)], [201, false])
  await change('day', { created_at: sql`now() - interval '23 hours 59 minutes'` })
  assert.ok(isReplayed(await add('day-after.test', 'day')))
})

test('what is older than a day is forgotten', async () => {
  for (const name of ['old', 'young']) await add(`${name}.test`, name)
  await change('old', { created_at: sql`now() - interval '25 hours'` })
  await using _starting = await testHouse({ ...SHARED, DATABASE_URL: house.database.url })
  await until(
    () => rowOf('old'),
    (row) => row === undefined,
  )
  assert.ok(await rowOf('young'))
})

test('an answer that may be another at the next try is not kept: 5xx and 429', async () => {
  await using strict = await testHouse({ MAILSTEAD_ADDS_PER_NAME_PER_HOUR: '1' })
  const { client: asker, store: kept } = strict
  const { body } = await asker.post('/domains', { domain: 'often.test' })
  await asker.delete(`/domains/${body.domain_id}`)
  await asker.untilRemoval(body.domain_id, 'done')
  refuses(await add('often.test', 'often', asker), 429, 'too_many_adds')
  const rows = () => kept.db.selectFrom('idempotent_requests').select('name').execute()
  assert.deepEqual(await rows(), [])

  await sql`alter table domains rename to domains_away`.execute(kept.db)
  const failed = await add('failed.test', 'failed', asker)
  refuses(failed, 500, 'internal')
  assert.deepEqual(await rows(), [])
  await sql`alter table domains_away rename to domains`.execute(kept.db)
  const again = await add('failed.test', 'failed', asker)
  assert.deepEqual([again.status, isReplayed(again)], [201, false])
})

test('a key and its scopes are asked for before anything is told', async () => {
  const path = '/domains'
  const body = { domain: 'guarded.test' }
  await add('guarded.test', 'guarded')
  refuses(await post(new Client(client.base), path, body, 'guarded'), 401, 'api_key_required')
  const weak = await house.clientOf({ scopes: ['domains:read'] })
  refuses(await post(weak, path, body, 'guarded'), 403, 'insufficient_scopes')
  assert.equal((await rowOf('guarded'))!.key_id.length, 36)
})

// biome-ignore format: a table
const BAD_NAMES: readonly [what: string, name: string, type: string][] = [
  ['empty',           '',                'value_error.str.regex'],
  ['a space within',  'one two',         'value_error.str.regex'],
  ['not ASCII',       'sch\u00f6n',      'value_error.str.regex'],
  ['256 characters',  'x'.repeat(256),   'value_error.any_str.max_length'],
]

for (const [what, name, type] of BAD_NAMES) {
  test(`a name is 1 to 255 visible characters, else 422: ${what}`, async () => {
    const answer = await add('badly-named.test', name)
    violates(answer, ['header', 'Idempotency-Key'], type)
    assert.equal(await domainsOf('badly-named.test'), 0)
  })
}

test('names of every visible character are taken, up to 255', async () => {
  for (const name of ['!', '~', '"8e03978e-40d5-43dd-bc93-6894a57f9324"', 'x'.repeat(255)]) {
    assert.equal((await post(client, '/domains', {}, name)).status, 422)
    assert.ok(isReplayed(await post(client, '/domains', {}, name)))
  }
})

test('what is not a POST has no use for a name, and does not mind one', async () => {
  const headers = { 'idempotency-key': 'once' }
  for (const [method, path, status] of [
    ['GET', '/domains', 200],
    ['DELETE', '/domains/0190a1b2-c3d4-7e5f-8a6b-123456789abc', 404],
  ] as const) {
    const answer = await client.request(method, `/api/public/v1${path}`, undefined, headers)
    assert.deepEqual([answer.status, isReplayed(answer)], [status, false])
  }
})

test('a POST without a body can be named', async () => {
  const { body: added } = await client.post('/domains', { domain: 'bodiless.test' })
  const path = `/domains/${added.domain_id}/check`
  const first = await post(client, path, undefined, 'bodiless')
  assert.equal(first.status, 200)
  const again = await post(client, path, undefined, 'bodiless')
  assert.deepEqual([again.body, isReplayed(again)], [first.body, true])
})

test('a key that was made is told again to who made it, and lies in the database sealed', async () => {
  const wanted = { name: 'kept', scopes: ['domains:read'] }
  const first = await post(client, '/keys', wanted, 'sealed')
  assert.equal(first.status, 201)
  const again = await post(client, '/keys', wanted, 'sealed')
  assert.deepEqual([again.body, isReplayed(again)], [first.body, true])
  assert.equal((await new Client(client.base, again.body.key).get('/domains')).status, 200)
  const row = await rowOf('sealed')
  assert.match(row!.answer!, /^v1:/)
  assert.ok(!JSON.stringify(row).includes(first.body.key.slice(8, 42)))
  assert.ok(!house.logLines.some((line) => line.includes(first.body.key.slice(8, 42))))
})

test('a process that is killed in the middle keeps the name for its lease, and not for ever', async () => {
  await using database = await testDatabase()
  await using directory = await temporaryDirectory()
  const settings = { DATABASE_URL: database.url, MAILSTEAD_BOOTSTRAP_KEY: makeApiKey('sandbox') }
  const db = openDatabase(database.connection, { onError: () => undefined })
  await using closing = new AsyncDisposableStack()
  closing.defer(() => db.destroy())
  const claims = () => db.selectFrom('idempotent_requests').selectAll().execute()
  {
    await using product = await startProduct({ dataDir: directory.path, settings })
    await product.client.misbehave('killed.test', 'zone_ready', 'slow', 5)
    const lost = assert.rejects(add('killed.test', 'killed', product.client))
    await until(claims, (rows) => rows.length === 1)
    await delay(300)
    await product.kill()
    await lost
  }
  await using product = await startProduct({ dataDir: directory.path, settings })
  refuses(await add('killed.test', 'killed', product.client), 409, 'idempotency_in_progress')
  const [claim] = await claims()
  const leftMs = claim!.lease_until.getTime() - Date.now()
  assert.ok(leftMs > 0 && leftMs <= 60_000, String(leftMs))
  await db.updateTable('idempotent_requests').set({ lease_until: new Date() }).execute()
  const again = await add('killed.test', 'killed', product.client)
  assert.ok(again.status === 201 || again.body.error === 'domain_exists', String(again.status))
  assert.ok(isReplayed(await add('killed.test', 'killed', product.client)))
  assert.equal((await db.selectFrom('domains').select('id').execute()).length, 1)
})
