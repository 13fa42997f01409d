import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { hasFields, isInstant, refuses, tally, violates } from './expect.ts'

const house = await testHouse({ MAILSTEAD_WAIT_MS: '1500' })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const add = (domain: string, more: object = {}) => client.post('/domains', { domain, ...more })

test('a domain is added with its nameservers, a pair of our pool, in the shape of the contract', async () => {
  const { status, body, headers } = await add('shape.test')
  assert.equal(status, 201)
  assert.match(headers.get('content-type')!, /^application\/json/)
  hasFields(
    body,
    `success message domain_id domain_name status nameservers max_inboxes current_inboxes created_at
     progress_url`,
  )
  const { domain_id, nameservers, created_at, message, ...rest } = body
  assert.deepEqual(rest, {
    success: true,
    domain_name: 'shape.test',
    status: 'DNS_PENDING',
    max_inboxes: 50,
    current_inboxes: 0,
    progress_url: `/api/public/v1/domains/${domain_id}/progress`,
  })
  assert.match(domain_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(new Set(nameservers).size, 2)
  for (const name of nameservers) assert.match(name, /^[a-z]+\.ns\.mailstead\.test$/)
  isInstant(created_at)
  assert.match(message, /nameservers/)
  const seen = await client.request('GET', body.progress_url)
  assert.equal(seen.body.domain_id, domain_id)
})

test('while the zone host is slow, the answer comes in time, and without nameservers yet', async () => {
  await client.misbehave('slowly.test', 'zone_ready', 'unavailable', 3)
  const began = performance.now()
  const { status, body } = await add('slowly.test')
  assert.ok(performance.now() - began < 4000)
  assert.equal(status, 201)
  assert.ok(['PENDING', 'DNS_CONFIGURING'].includes(body.status), body.status)
  const { nameservers } = await client.untilDomain(
    body.domain_id,
    ({ status }) => status === 'DNS_PENDING',
  )
  assert.equal(nameservers.length, 2)
  if (body.nameservers.length > 0) assert.deepEqual(nameservers, body.nameservers)
})

test('once shown, the nameservers never change', async () => {
  const { body } = await add('steady.test')
  for (const act of ['activate', 'activate', 'progress']) {
    if (act === 'activate') await client.post(`/domains/${body.domain_id}/activate`)
    const { body: seen } = await client.get(`/domains/${body.domain_id}`)
    assert.deepEqual(seen.nameservers, body.nameservers)
  }
})

test('a name the workspace has already is refused, and the one it has is named', async () => {
  const { body: first } = await add('twice.test')
  for (const written of ['twice.test', 'TWICE.test', 'twice.test.', 'twice。test']) {
    const answer = await add(written)
    refuses(answer, 409, 'domain_exists')
    assert.equal(answer.body.domain_id, first.domain_id)
    assert.ok(!('success' in answer.body), 'an error has no envelope')
  }
})

test('a name being removed is refused until its tear-down is done, and can then be added anew', async () => {
  const added = await client.addActive('leaving.test')
  await client.misbehave('leaving.test', 'sender_registered', 'unavailable', 1000)
  await client.delete(`/domains/${added.domain_id}`)
  const answer = await add('Leaving.test')
  refuses(answer, 409, 'domain_being_removed')
  assert.equal(answer.body.domain_id, added.domain_id)
  await client.sandbox('DELETE', '/outcomes/leaving.test')
  await client.untilRemoval(added.domain_id, 'tombstone')
  const again = await add('leaving.test')
  assert.equal(again.status, 201, JSON.stringify(again.body))
  assert.notEqual(again.body.domain_id, added.domain_id)
})

for (const name of ['race.test', 'race.example']) {
  test(`of a hundred who add ${name} at once, one succeeds and the others learn of it`, async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => add(name)))
    assert.deepEqual(tally(answers), { 201: 1, 409: 99 })
    const winner = answers.find(({ status }) => status === 201)!.body
    for (const { status, body } of answers) {
      if (status === 409)
        assert.deepEqual([body.error, body.domain_id], ['domain_exists', winner.domain_id])
    }
    for (const table of ['domains', 'claims'] as const) {
      const rows = await store.db.selectFrom(table).select('id').where('name', '=', name).execute()
      assert.equal(rows.length, 1, table)
    }
  })
}

test('sixty different names added at once are all there, each with a pair', async () => {
  const names = Array.from({ length: 60 }, (_, index) => `many${index}.test`)
  const answers = await Promise.all(names.map((name) => add(name)))
  assert.deepEqual(tally(answers), { 201: 60 })
  for (const { body } of answers) {
    await client.untilDomain(body.domain_id, ({ nameservers }) => nameservers.length === 2)
  }
})

test('of twenty workspaces that add one name at once, at most sixteen wait for it', async () => {
  const others = await Promise.all(
    Array.from({ length: 20 }, () => house.clientOf({ workspace: anotherWorkspace() })),
  )
  const answers = await Promise.all(
    others.map((other) => other.post('/domains', { domain: 'wanted.test' })),
  )
  const refused = answers.filter(({ status }) => status !== 201)
  for (const answer of refused) refuses(answer, 409, 'too_many_claims')
  const pairs = answers.flatMap(({ body }) => (body.nameservers ? [body.nameservers.join()] : []))
  assert.equal(new Set(pairs).size, pairs.length, 'no two claims have one pair')
  refuses(await client.post('/domains', { domain: 'wanted.test' }), 409, 'too_many_claims')
  assert.ok(refused.length >= 4, `${answers.length - refused.length} of 20 were taken`)
})

test('a domain deleted while its adding still waits is not our fault', async () => {
  await client.misbehave('fleeting.test', 'zone_ready', 'unavailable', 1000)
  const adding = add('fleeting.test')
  const listed = await until(
    () => client.get('/domains?search=fleeting'),
    ({ body }) => body.domains.length > 0,
  )
  await client.delete(`/domains/${listed.body.domains[0].domain_id}`)
  const answer = await adding
  assert.ok(answer.status < 500, `${answer.status} ${JSON.stringify(answer.body)}`)
})

// biome-ignore format: a table
const MISTYPED: readonly [value: unknown][] = [['true'], ['yes'], [1], [0], [null], [[]], [{}]]

for (const [value] of MISTYPED) {
  test(`auto_activate is true or false, not ${JSON.stringify(value)}`, async () => {
    const answer = await add('typed.test', { auto_activate: value })
    violates(answer, ['body', 'auto_activate'], 'type_error.bool')
    assert.equal((await client.get('/domains?search=typed')).body.pagination.total, 0)
  })
}
