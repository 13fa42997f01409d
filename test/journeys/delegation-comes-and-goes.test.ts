import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { wakeRow } from '#engine/due-rows.ts'
import { DOMAINS } from '#store/due-tables.ts'
import { days } from '../../src/clock.ts'
import { conditionOf } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
/** The level of a warning in the log. */
const WARN = 40

test('a query that reaches our servers wakes a domain that has waited long', async () => {
  const { body: added } = await client.post('/domains', { domain: 'sleepy.test' })
  await store.db
    .updateTable('domains')
    .set({ asked_at: sql`now() - interval '2 days'`, next_at: sql`now() + interval '15 minutes'` })
    .where('id', '=', added.domain_id)
    .execute()
  await client.delegate('sleepy.test', added.nameservers)
  await ask(house.dns, 'www.sleepy.test', 'A')
  await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE', 10_000)
})

test('a delegation that goes is believed at the second sight, forgiven for days, and may come back', async () => {
  const added = await client.addActive('loose.test')
  await client.undelegate('loose.test')
  await lookNow(added.domain_id)
  const first = await client.untilDomain(
    added.domain_id,
    ({ delegation }) => delegation.servers[0].outcome === 'nxdomain',
  )
  assert.equal(conditionOf(first, 'delegated').status, 'met', 'one sight of it changes nothing')
  assert.equal(first.sending.allowed, true)

  await store.db
    .updateTable('domains')
    .set({
      delegation: sql`jsonb_set(delegation, '{lostAt}', to_jsonb(${new Date(Date.now() - 11 * 60_000).toISOString()}::text))`,
    })
    .where('id', '=', added.domain_id)
    .execute()
  await lookNow(added.domain_id)
  const lost = await client.untilDomain(
    added.domain_id,
    (domain) => conditionOf(domain, 'delegated').status === 'waiting',
  )
  assert.equal(lost.status, 'ACTIVE', 'it is forgiven for a while')
  assert.deepEqual(lost.sending, { allowed: false, reason: 'delegation_lost' })
  assert.equal(lost.mailcow_added, true, 'nothing is taken away from the one who holds the name')

  await store.db
    .updateTable('conditions')
    .set({ unmet_ms: String(days(4)) })
    .where('domain_id', '=', added.domain_id)
    .where('type', '=', 'delegated')
    .execute()
  await lookNow(added.domain_id)
  const failed = await client.untilDomain(added.domain_id, ({ status }) => status === 'FAILED')
  assert.equal(failed.failure.stage, 'delegated')
  assert.equal(failed.failure.reason, 'not_published')

  await client.delegate('loose.test', added.nameservers)
  assert.equal((await client.post(`/domains/${added.domain_id}/activate`)).status, 200)
  const back = await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
  assert.equal(back.sending.allowed, true)
})

test('a stage that is refused fails the domain, and a retry takes up from there', async () => {
  await client.misbehave('refused.test', 'sender_registered', 'rejected', 1000)
  const added = await client.addDelegated('refused.test')
  const failed = await client.untilDomain(added.domain_id, ({ status }) => status === 'FAILED')
  assert.equal(failed.failure.stage, 'sender_registered')
  assert.equal(failed.failure.retryable, true)
  assert.equal((await client.get(`/domains/${added.domain_id}/progress`)).body.is_failed, true)
  const told = house.logLines
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === 'domain failed')
    .filter(({ domain }) => domain === 'refused.test')
  assert.deepEqual(
    told.map(({ level, stage, reason }) => [level, stage, reason]),
    [[WARN, 'sender_registered', failed.failure.reason]],
    'one line of the log says which, where and why',
  )
  await client.sandbox('DELETE', '/outcomes/refused.test')
  const retried = await client.post(`/domains/${added.domain_id}/activate`)
  assert.equal(retried.status, 200)
  await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
})

test('a retry waits anew, however long was waited before', async () => {
  const { body } = await client.post('/domains', { domain: 'patience.test' })
  const id: string = body.domain_id
  await client.untilDomain(id, ({ delegation }) => delegation !== null)
  const failed = { verdict: 'failed', reason: 'not_published', message: 'Given up.' }
  const times = {
    waited_ms: String(31 * 86_400_000),
    last_look_at: sql<Date>`now() - interval '40 days'`,
  }
  const { db } = store
  await db
    .updateTable('conditions')
    .set({ ...failed, ...times })
    .where('domain_id', '=', id)
    .where('type', '=', 'delegated')
    .execute()
  await db
    .updateTable('domains')
    .set({ status: 'FAILED', looked_at: sql`now()`, next_at: sql`now() + interval '1 hour'` })
    .where('id', '=', id)
    .execute()
  const { body: retried } = await client.post(`/domains/${id}/retry`)
  assert.equal(retried.status, 'DNS_PENDING')
  await client.post(`/domains/${id}/check`)
  assert.equal((await client.get(`/domains/${id}`)).body.status, 'DNS_PENDING')
})

test('throttling and outages of a provider only delay', async () => {
  await client.misbehave('delayed.test', 'sender_registered', 'throttled', 1)
  await client.misbehave('delayed.test', 'mail_domain_ready', 'unavailable', 2)
  await client.misbehave('delayed.test', 'mail_proven', 'unavailable', 1)
  const added = await client.addDelegated('delayed.test')
  await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
})

const lookNow = (id: string): Promise<void> => wakeRow(store.db, DOMAINS, id)
