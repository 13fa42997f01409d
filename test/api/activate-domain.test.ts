import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { days } from '../../src/clock.ts'
import { conditionOf, type Json } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { hasFields, isInstant, refuses, tally } from './expect.ts'

const WAIT_MS = 2500
const house = await testHouse({ MAILSTEAD_WAIT_MS: String(WAIT_MS) })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const add = async (domain: string, more: object = {}): Promise<Json> =>
  (await client.post('/domains', { domain, ...more })).body
const activate = (id: string) => client.post(`/domains/${id}/activate`)
const eventsOf = (id: string) =>
  store.db.selectFrom('events').select('type').where('domain_id', '=', id).execute()

const ANSWER = `success message domain_id domain_name status dns_verified progress_url estimated_completion`

test('while the zone is being made, there is nothing to activate: 409', async () => {
  await client.misbehave('making.test', 'zone_ready', 'unavailable', 1000)
  const { domain_id } = await add('making.test')
  refuses(await activate(domain_id), 409, 'domain_not_ready')
  await client.sandbox('DELETE', '/outcomes/making.test')
  await client.untilDomain(domain_id, ({ status }) => status === 'DNS_PENDING')
  assert.equal((await activate(domain_id)).status, 200)
})

test('before the first pass, there is nothing to activate either: 409', async () => {
  const { domain_id } = await add('first.test')
  await client.untilDomain(domain_id, ({ delegation }) => delegation !== null)
  await store.db
    .updateTable('domains')
    .set({ status: 'PENDING', next_at: new Date(Date.now() + 3_600_000) })
    .where('id', '=', domain_id)
    .execute()
  refuses(await activate(domain_id), 409, 'domain_not_ready')
})

test('not delegated is no fault of the caller: 200, with the verdict and its evidence', async () => {
  const { domain_id, nameservers } = await add('undelegated.test')
  const { status, body } = await activate(domain_id)
  assert.equal(status, 200)
  hasFields(body, `${ANSWER} delegation`)
  const { message, delegation, ...rest } = body
  assert.deepEqual(rest, {
    success: true,
    domain_id,
    domain_name: 'undelegated.test',
    status: 'DNS_PENDING',
    dns_verified: false,
    progress_url: `/api/public/v1/domains/${domain_id}/progress`,
    estimated_completion: null,
  })
  assert.equal(message, delegation.message)
  for (const name of nameservers) assert.ok(message.includes(name), message)
  assert.equal(delegation.verdict, 'not_published')
})

test('it looks now: what was published a moment ago is seen in this very answer', async () => {
  const { domain_id, nameservers } = await add('moment.test')
  await client.untilDomain(domain_id, ({ delegation }) => delegation !== null)
  await store.db
    .updateTable('domains')
    .set({ next_at: new Date(Date.now() + 3_600_000) })
    .where('id', '=', domain_id)
    .execute()
  await client.delegate('moment.test', nameservers)
  const { body } = await activate(domain_id)
  assert.equal(body.dns_verified, true, JSON.stringify(body))
  assert.ok(['SERVICES_CONFIGURING', 'ACTIVE'].includes(body.status))
  hasFields(body, ANSWER)
  if (body.status === 'SERVICES_CONFIGURING') isInstant(body.estimated_completion)
  await client.untilDomain(domain_id, ({ status }) => status === 'ACTIVE')
})

test('a look that was begun before it was asked for is not its answer', async () => {
  const { domain_id, nameservers } = await add('begun.test')
  await client.untilDomain(domain_id, ({ delegation }) => delegation !== null)
  await client.misbehave('begun.test', 'delegated', 'slow')
  const early = activate(domain_id)
  await delay(300)
  await client.delegate('begun.test', nameservers)
  const { body } = await activate(domain_id)
  assert.equal(body.dns_verified, true, body.message)
  assert.equal((await early).status, 200)
})

test('while the parent does not answer, it answers in time, with what was seen last', async () => {
  const { domain_id } = await add('silent.test')
  const seen = await client.untilDomain(domain_id, ({ delegation }) => delegation !== null)
  await client.misbehave('silent.test', 'delegated', 'unavailable', 1000)
  const began = performance.now()
  const { status, body } = await activate(domain_id)
  assert.ok(performance.now() - began < WAIT_MS + 2500)
  assert.equal(status, 200)
  assert.deepEqual([body.status, body.dns_verified], ['DNS_PENDING', false])
  assert.equal(body.delegation.verdict, seen.delegation.verdict)
  await client.sandbox('DELETE', '/outcomes/silent.test')
})

test('while the mail services are being set up, it answers 200 and changes nothing', async () => {
  await client.misbehave('midway.test', 'sender_registered', 'unavailable', 1000)
  const { domain_id } = await client.addDelegated('midway.test')
  await client.untilDomain(domain_id, ({ status }) => status === 'SERVICES_CONFIGURING')
  const { asked_at } = await rowOf(domain_id)
  const { status, body } = await activate(domain_id)
  assert.equal(status, 200)
  hasFields(body, ANSWER)
  assert.deepEqual([body.status, body.dns_verified], ['SERVICES_CONFIGURING', true])
  isInstant(body.estimated_completion)
  assert.ok(Date.parse(body.estimated_completion) > Date.now() - 1000)
  assert.deepEqual((await rowOf(domain_id)).asked_at, asked_at)
  await client.sandbox('DELETE', '/outcomes/midway.test')
})

test('on an active domain it answers 200 at once, as often as asked, and changes nothing', async () => {
  const { domain_id } = await client.addActive('active.test')
  const events = await eventsOf(domain_id)
  const { asked_at } = await rowOf(domain_id)
  const answers = await Promise.all(Array.from({ length: 20 }, () => activate(domain_id)))
  assert.deepEqual(tally(answers), { 200: 20 })
  for (const { body } of answers) {
    hasFields(body, ANSWER)
    assert.deepEqual([body.status, body.dns_verified], ['ACTIVE', true])
  }
  assert.deepEqual(await eventsOf(domain_id), events)
  assert.deepEqual((await rowOf(domain_id)).asked_at, asked_at)
})

for (const stage of ['zone_ready', 'sender_registered', 'mail_domain_ready', 'sender_verified']) {
  test(`a domain that failed at ${stage} is tried again from there, and reaches ACTIVE`, async () => {
    const name = `${stage.replaceAll('_', '-')}.test`
    await client.misbehave(name, stage, 'rejected', 1000)
    const { domain_id } = await add(name)
    const { nameservers } = await client.untilDomain(
      domain_id,
      (seen) => seen.nameservers.length > 0,
    )
    await client.delegate(name, nameservers)
    const failed = await client.untilDomain(domain_id, ({ status }) => status === 'FAILED')
    assert.equal(failed.failure.stage, stage)
    await client.sandbox('DELETE', `/outcomes/${name}`)
    const met = failed.conditions.filter(({ status }: Json) => status === 'met')
    const { status, body } = await activate(domain_id)
    assert.equal(status, 200)
    assert.notEqual(body.status, 'FAILED')
    const active = await client.untilDomain(domain_id, (seen) => seen.status === 'ACTIVE')
    assert.equal(active.failure, null)
    for (const { type, since } of met)
      assert.equal(conditionOf(active, type).since, since, `${type} was not begun again`)
  })
}

test('a retry that fails again says so and when, and can be tried again', async () => {
  await client.misbehave('stubborn.test', 'mail_domain_ready', 'rejected', 1000)
  const { domain_id } = await client.addDelegated('stubborn.test')
  const first = await client.untilDomain(domain_id, ({ status }) => status === 'FAILED')
  const failures = async () =>
    (await eventsOf(domain_id)).filter(({ type }: Json) => type === 'domain.failed').length
  assert.equal(await failures(), 1)
  const { body: looked } = await client.post(`/domains/${domain_id}/check`)
  assert.equal(looked.failure.failed_at, first.failure.failed_at, 'a look is not a failure')
  assert.equal(await failures(), 1)
  assert.equal((await activate(domain_id)).status, 200)
  const again = await client.untilDomain(domain_id, ({ failure }) => failure?.reason === 'rejected')
  assert.equal(again.status, 'FAILED')
  assert.ok(again.failure.failed_at > first.failure.failed_at)
  assert.equal(await failures(), 2)
  await client.sandbox('DELETE', '/outcomes/stubborn.test')
  await activate(domain_id)
  await client.untilDomain(domain_id, ({ status }) => status === 'ACTIVE')
})

test('what an active domain lost past its grace is not forgiven by a retry', async () => {
  const { domain_id } = await client.addActive('lapsed.test')
  await client.misbehave('lapsed.test', 'sender_verified', 'rejected', 1000)
  const check = () => client.post(`/domains/${domain_id}/check`)
  assert.equal((await check()).body.status, 'ACTIVE', 'a grace begins')
  await store.db
    .updateTable('conditions')
    .set({ unmet_ms: String(days(1)) })
    .where('domain_id', '=', domain_id)
    .where('type', '=', 'sender_verified')
    .execute()
  assert.equal((await check()).body.status, 'FAILED')
  const { body } = await activate(domain_id)
  assert.deepEqual([body.status, body.dns_verified], ['FAILED', true])
  const { failure, sending } = (await client.get(`/domains/${domain_id}`)).body
  assert.deepEqual([failure.stage, sending.allowed], ['sender_verified', false])
  assert.equal(
    body.message,
    failure.message,
    'it says what has failed, not that the delegation is well',
  )
  await client.sandbox('DELETE', '/outcomes/lapsed.test')
  assert.equal((await activate(domain_id)).body.status, 'ACTIVE')
  const types = (await eventsOf(domain_id)).map(({ type }: Json) => type)
  assert.equal(types.filter((type: string) => type === 'domain.active').length, 2)
})

test('one look that finds something lost ends no grace, however long ago it was taken', async () => {
  const { domain_id } = await client.addActive('one-look.test')
  await client.misbehave('one-look.test', 'sender_registered', 'rejected', 1)
  await client.post(`/domains/${domain_id}/check`)
  const hoursAgo = (column: string) => sql`${sql.ref(column)} - interval '5 hours'`
  await sql`update conditions set since = ${hoursAgo('since')}, last_look_at = ${hoursAgo('last_look_at')}
    where domain_id = ${domain_id}`.execute(store.db)
  await sql`update domains set looked_at = ${hoursAgo('looked_at')}, next_look_at = ${hoursAgo('next_look_at')}
    where id = ${domain_id}`.execute(store.db)
  await client.misbehave('one-look.test', 'zone_ready', 'unavailable', 1)
  assert.equal((await client.post(`/domains/${domain_id}/check`)).body.status, 'ACTIVE')
  await client.sandbox('DELETE', '/outcomes/one-look.test')
})

test('a retry is not lost to the pass that is under way', async () => {
  await client.misbehave('busy.test', 'mail_domain_ready', 'rejected', 1)
  const { domain_id } = await client.addDelegated('busy.test')
  await client.untilDomain(domain_id, ({ status }) => status === 'FAILED')
  await client.misbehave('busy.test', 'sender_registered', 'slow', 1)
  const looked = client.post(`/domains/${domain_id}/check`)
  await delay(300)
  assert.notEqual((await activate(domain_id)).body.status, 'FAILED')
  await client.untilDomain(domain_id, ({ status }) => status === 'ACTIVE')
  await looked
})

test('what failed at a mail service is not tried again because somebody asks for the name', async () => {
  await client.misbehave('asked-for.test', 'mail_domain_ready', 'rejected', 1000)
  const { domain_id } = await client.addDelegated('asked-for.test')
  await client.untilDomain(domain_id, ({ status }) => status === 'FAILED')
  const wakes = async () => (await rowOf(domain_id)).wake
  await delay(500) // queries of the set-up itself are told to the workers a moment later
  const before = await wakes()
  await ask(house.dns, 'asked-for.test', 'MX')
  await delay(500)
  assert.equal(await wakes(), before)
})

test('twenty retries at once are one', async () => {
  await client.misbehave('eager.test', 'mail_domain_ready', 'rejected', 1000)
  const { domain_id } = await client.addDelegated('eager.test')
  await client.untilDomain(domain_id, ({ status }) => status === 'FAILED')
  await client.sandbox('DELETE', '/outcomes/eager.test')
  const answers = await Promise.all(Array.from({ length: 20 }, () => activate(domain_id)))
  assert.deepEqual(tally(answers), { 200: 20 })
  await client.untilDomain(domain_id, ({ status }) => status === 'ACTIVE')
})

test('a domain being removed cannot be activated', async () => {
  const { domain_id } = await add('gone.test')
  await client.delete(`/domains/${domain_id}`)
  refuses(await activate(domain_id), 404, 'domain_not_found')
})

test('a left-over DS is told of, holds the domain up, and is forgotten when it goes', async () => {
  const { domain_id, nameservers } = await add('signed.test')
  await client.untilDomain(domain_id, ({ delegation }) => delegation !== null)
  const ds = [`12345 13 2 ${'ab'.repeat(32)}`]
  await client.delegate('signed.test', nameservers, { ds })
  const { body } = await activate(domain_id)
  assert.deepEqual([body.status, body.dns_verified], ['DNS_PENDING', false])
  assert.equal(body.delegation.verdict, 'ds_left_over')
  assert.match(body.message, /DNSSEC/)
  const seen = await client.untilDomain(domain_id, () => true)
  assert.equal(conditionOf(seen, 'delegated').reason, 'ds_left_over')
  await client.delegate('signed.test', nameservers)
  assert.equal((await activate(domain_id)).body.dns_verified, true)
  await client.untilDomain(domain_id, ({ status }) => status === 'ACTIVE')
})

function rowOf(id: string) {
  return store.db
    .selectFrom('domains')
    .select(['asked_at', 'wake'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
}
