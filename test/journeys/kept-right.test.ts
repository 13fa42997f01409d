/** An active domain goes on being looked at: an unchanged world writes nothing, a changed one is put right. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { newId } from '../../src/ids.ts'
import { conditionOf, type Json, until } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const { db } = store

/** Every table but the domains, whose rows are the queue itself. */
const TABLES = [
  'conditions',
  'records',
  'events',
  'claims',
  'holders',
  'placements',
  'zones',
  'probes',
  'sender_domains',
  'mail_domains',
  'mailboxes',
]

/** Which transaction wrote each row last: equal when nothing was written. */
async function fingerprint(): Promise<string> {
  const parts: string[] = []
  for (const table of TABLES) {
    const { rows } = await sql<{ x: string }>`
      select string_agg(xmin::text || ctid::text, ',' order by ctid) as x from ${sql.table(table)}`.execute(
      db,
    )
    parts.push(`${table}: ${rows[0]?.x}`)
  }
  return parts.join('\n')
}

/** How many rrsets the zone holds. */
async function heldOf(name: string): Promise<number> {
  const zone = await db
    .selectFrom('zones')
    .select('rrsets')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  return zone.rrsets.length
}

const typesOf = async (id: string): Promise<string[]> =>
  (await client.get(`/domains/${id}/events?limit=100`)).body.events.map(({ type }: Json) => type)

/** Whether nobody looks at a domain now, nor is about to. */
async function isAtRest(id: string): Promise<boolean> {
  const { rows } = await sql`
    select from domains where id = ${id} and lease_until < now() and next_at > now() + interval '1 minute'`.execute(
    db,
  )
  return rows.length > 0
}

test('an unchanged world writes no row and tells no event', async () => {
  const { domain_id: id } = await client.addActive('quiet.test')
  await client.post(`/domains/${id}/check`)
  // What is wanted first may have been asked for last, as the key of a rotation is.
  await sql`update records set id = ${newId()} where id = (
    select id from records where domain_id = ${id} order by id limit 1)`.execute(db)
  const before = await fingerprint()
  for (let turn = 0; turn < 3; turn++) {
    const { body } = await client.post(`/domains/${id}/check`)
    assert.equal(body.status, 'ACTIVE')
  }
  assert.equal(await fingerprint(), before)
})

test('nor does one in which a domain waits, though the wait is counted', async () => {
  const { body: added } = await client.post('/domains', { domain: 'waits.test' })
  const waited = async () =>
    conditionOf((await client.get(`/domains/${added.domain_id}`)).body, 'delegated')
  await client.post(`/domains/${added.domain_id}/check`)
  const [before, wait] = [await fingerprint(), await waited()]
  for (let turn = 0; turn < 3; turn++) await client.post(`/domains/${added.domain_id}/check`)
  assert.equal(await fingerprint(), before)
  const after = await waited()
  assert.ok(after.checked_at > wait.checked_at)
  assert.deepEqual([after.status, after.since], ['waiting', wait.since])
})

test('what was changed in the zone is put back, and told for each rrset', async () => {
  const { domain_id: id } = await client.addActive('drift.test')
  const zone = db.updateTable('zones').where('name', '=', 'drift.test')
  const { rrsets } = await db
    .selectFrom('zones')
    .select('rrsets')
    .where('name', '=', 'drift.test')
    .executeTakeFirstOrThrow()
  const foreign = { name: 'foreign.drift.test.', type: 'A', ttl: 300, data: ['192.0.2.9'] }
  const left = rrsets
    .filter(({ type }) => type !== 'MX')
    .map((rrset) =>
      rrset.name.startsWith('_dmarc')
        ? { ...rrset, data: ['v=DMARC1; p=none; rua=mailto:thief@elsewhere.example'] }
        : rrset,
    )
  await zone.set({ rrsets: JSON.stringify([...left, foreign]) as never }).execute()
  const { body } = await client.post(`/domains/${id}/check`)
  assert.equal(body.status, 'ACTIVE')
  await until(
    async () => (await ask(house.dns, 'drift.test', 'MX')).answers.length,
    (count) => count === 1,
  )
  const { body: timeline } = await client.get(`/domains/${id}/events?limit=100`)
  const repairs = timeline.events.filter(({ type }: Json) => type === 'record.repaired')
  assert.deepEqual(repairs.map(({ data }: Json) => `${data.type} ${data.name}`).toSorted(), [
    'MX bounce.drift.test.',
    'MX drift.test.',
    'TXT _dmarc.drift.test.',
  ])
  assert.equal(
    (await ask(house.dns, 'foreign.drift.test', 'A')).answers.length,
    1,
    'what is not ours stays',
  )
})

test('a proof that has grown old is renewed, and meanwhile the domain lacks nothing', async () => {
  const { domain_id: id } = await client.addActive('renewed.test')
  await sql`update probes set sent_at = now() - interval '31 days' where domain_id = ${id}`.execute(
    db,
  )
  const before = await typesOf(id)
  await client.post(`/domains/${id}/check`)
  const judged = () =>
    db
      .selectFrom('probes')
      .select('judged_at')
      .where('domain_id', '=', id)
      .where('judged_at', 'is not', null)
      .execute()
  await until(judged, ({ length }) => length === 2)
  const { body } = await client.post(`/domains/${id}/check`)
  assert.equal(conditionOf(body, 'mail_proven').status, 'met')
  assert.deepEqual(await typesOf(id), before)
})

test('a loss within its grace is told once, and so is its end', async () => {
  const { domain_id: id, nameservers } = await client.addActive('graceful.test')
  const look = () => client.post(`/domains/${id}/check`)
  await client.delegate('graceful.test', ['ns1.elsewhere.example', 'ns2.elsewhere.example'])
  await look()
  const sending = async () => (await client.get(`/domains/${id}`)).body.sending
  assert.equal((await sending()).allowed, true, 'one sight is no loss')
  // Should no second sight be had: what counts is when it was last seen there.
  await sql`update domains set delegation = jsonb_set(delegation, '{seenAt}', to_jsonb((now() - interval '61 minutes')::text))
    where id = ${id}`.execute(db)
  assert.equal((await sending()).reason, 'delegation_not_seen_lately')
  // The second sight of a loss comes ten minutes after the first.
  await sql`update domains set delegation = jsonb_set(delegation, '{lostAt}', to_jsonb((now() - interval '11 minutes')::text))
    where id = ${id}`.execute(db)
  await look()
  const lost = await client.untilDomain(
    id,
    (domain) => conditionOf(domain, 'delegated').status === 'waiting',
  )
  assert.deepEqual([lost.status, lost.sending.allowed], ['ACTIVE', false])
  await look()
  assert.equal((await typesOf(id)).filter((type) => type === 'domain.degraded').length, 1)
  await client.delegate('graceful.test', nameservers)
  await client.untilDomain(id, (domain) => {
    void look()
    return conditionOf(domain, 'delegated').status === 'met'
  })
  await look()
  const types = await typesOf(id)
  assert.equal(types.filter((type) => type === 'domain.recovered').length, 1)
  assert.ok(types.indexOf('domain.recovered') < types.indexOf('domain.degraded'), 'newest first')
})

test('a plan that would drop much of a populated zone stops and asks', async () => {
  const { domain_id: id } = await client.addActive('careful.test')
  // A look that is under way would write down what it saw before.
  await until(
    () => isAtRest(id),
    (isSo) => isSo,
  )
  const names = Array.from({ length: 12 }, (_, index) => `r${index}.careful.test.`)
  // As if an earlier version had published many records of its own that nobody asks for any more.
  const { rrsets } = await db
    .selectFrom('zones')
    .select('rrsets')
    .where('name', '=', 'careful.test')
    .executeTakeFirstOrThrow()
  const many = names.map((name) => ({ name, type: 'TXT' as const, ttl: 300, data: ['ours'] }))
  await sql`
    with published as (
      insert into records (id, domain_id, name, type, value, ttl, purpose, status)
      select gen_random_uuid(), ${id}, name, 'TXT', 'ours', 300, 'verification', 'published'
        from unnest(${names}::text[]) name)
    update zones set rrsets = ${JSON.stringify([...rrsets, ...many])} where name = 'careful.test'`.execute(
    db,
  )
  const asked = await client.untilDomain(id, (domain) => {
    void client.post(`/domains/${id}/check`)
    return conditionOf(domain, 'records_published').reason === 'plan_drops_much'
  })
  assert.equal(conditionOf(asked, 'records_published').waiting_for, 'customer')
  assert.equal(await heldOf('careful.test'), rrsets.length + many.length, 'nothing was dropped')
  await client.post(`/domains/${id}/activate`, { accept_drops: true })
  await until(
    () => heldOf('careful.test'),
    (count) => count === rrsets.length,
  )
  await client.untilDomain(
    id,
    (domain) => conditionOf(domain, 'records_published').status === 'met',
  )
})
