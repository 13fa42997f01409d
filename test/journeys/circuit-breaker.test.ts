/** Inboxes whose mail comes back or draws complaints are paused, in the moment that it is known. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { keepReports } from '#store/delivery-reports.ts'
import { recordReport } from '#store/message-reports.ts'
import { recordAttempts } from '#store/outgoing-queue.ts'
import { newId } from '../../src/ids.ts'
import { type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const { db } = store

/** A domain with so many inboxes, which can send. */
async function withInboxes(domain: string, many: number): Promise<Json[]> {
  const { domain_id } = await client.addActive(domain)
  for (let n = 0; n < many; n++)
    await client.post('/sender-accounts/coldsend-native', {
      domain_id,
      email_prefix: `kim${n}`,
      display_name: 'Kim',
    })
  const list = async () => (await client.get(`/sender-accounts?domain_id=${domain_id}`)).body
  const { sender_accounts } = await until(list, (body) =>
    body.sender_accounts.every(({ overall_status }: Json) => overall_status === 'ACTIVE'),
  )
  return sender_accounts
}

/** Messages of the inbox in a state, as the queue leaves them. Their ids. */
async function past(inbox: Json, many: number, state = 'sent', more: Json = {}): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    insert into outgoing_messages (id, workspace_id, world, claim_id, inbox_id, origin, account, message_id,
        author, recipient, recipient_domain, state, last_reply, created_at, finished_at)
      select gen_random_uuid(), i.workspace_id, i.world, c.id, i.id, ${more.origin ?? 'test'}, ${more.account ?? 'embedded'},
             '<' || gen_random_uuid() || '@x>', i.address, 'ann@inbox.test', 'inbox.test', ${state}, ${more.reply ?? ''},
             now() - ${more.days ?? 0} * interval '1 day', now() - ${more.days ?? 0} * interval '1 day'
        from inboxes i join claims c on c.domain_id = i.domain_id, generate_series(1, ${many}::int)
       where i.id = ${inbox.inbox_id}
    returning id`.execute(db)
  return rows.map(({ id }) => id)
}

const bounced = (id: string) =>
  recordReport(store, { is: 'failed', reply: '550 5.1.1 no such user', host: 'mx' } as never, {
    id,
  })
const complained = (id: string) =>
  recordReport(store, { is: 'complaint', reply: 'abuse', host: 'mx' } as never, { id })
const shown = async ({ inbox_id }: Json): Promise<Json> =>
  (await client.get(`/sender-accounts/${inbox_id}`)).body
const isPaused = async (inbox: Json): Promise<boolean> =>
  (await shown(inbox)).overall_status === 'PAUSED'

test('an inbox whose mail comes back is paused with the report that makes it too much, and a person resumes it', async () => {
  const [one, other] = await withInboxes('one.test', 2)
  await past(other, 400)
  const [first, second, third, fourth] = await past(one, 100)
  await bounced(first!)
  await bounced(first!)
  assert.equal((await shown(one)).pause, null, 'one of a hundred, told twice')
  await bounced(second!)
  const { overall_status, pause } = await shown(one)
  assert.deepEqual([overall_status, pause.reason], ['PAUSED', 'bounce_rate'])
  assert.equal(
    pause.message,
    'Of the last 100 messages of this inbox, 2 came back or were refused.',
  )
  assert.ok(Date.now() - Date.parse(pause.at) < 60_000)
  assert.equal(await isPaused(other), false)
  const health = (await client.get(`/sender-accounts/${one.inbox_id}/health`)).body
  assert.deepEqual(health.pause, pause)
  const refused = await client.post(`/sender-accounts/${one.inbox_id}/test-email`, {
    recipient_email: 'ann@inbox.test',
  })
  assert.deepEqual(
    [refused.status, refused.body.error, refused.body.reason],
    [409, 'inbox_paused', 'bounce_rate'],
  )
  const events = (await client.get('/events?limit=100&types=inbox.paused')).body.events
  const paused = events.filter(({ data }: Json) => data.inbox_id === one.inbox_id)
  assert.deepEqual(
    paused.map(({ data }: Json) => data.reason),
    ['bounce_rate'],
  )

  await client.post(`/sender-accounts/${one.inbox_id}/resume`)
  assert.equal((await shown(one)).pause, null)
  await bounced(third!)
  assert.equal(await isPaused(one), false, 'messages of before the pause count no more')
  const later = await past(one, 100)
  await bounced(fourth!)
  await bounced(later[0]!)
  assert.equal(await isPaused(one), false)
  await bounced(later[1]!)
  assert.equal(await isPaused(one), true)
})

test('one complaint of a thousand pauses, one of more does not', async () => {
  const [inbox] = await withInboxes('complaints.test', 1)
  const [first, second] = await past(inbox, 1001)
  await complained(first!)
  assert.equal(await isPaused(inbox), false)
  await complained(second!)
  assert.equal((await shown(inbox)).pause.reason, 'complaint_rate')
})

test('all inboxes of a domain are paused when they exceed the rate together, and each is resumed by itself', async () => {
  const [one, other, third] = await withInboxes('together.test', 3)
  const [first] = await past(one, 60)
  const [second] = await past(other, 60)
  await bounced(first!)
  const [more] = await past(other, 1)
  await bounced(second!)
  assert.equal(await isPaused(one), false, '2 of 121')
  await bounced(more!)
  for (const inbox of [one, other, third])
    assert.match((await shown(inbox)).pause.message, /^Of the last 121 messages of the inboxes/)
  await client.post(`/sender-accounts/${one.inbox_id}/resume`)
  const [again] = await past(one, 10)
  await bounced(again!)
  assert.equal(await isPaused(one), false, 'those that stay paused do not count')
})

test('what does not count: few messages, old ones, probes, and those that were never sent', async () => {
  const [inbox] = await withInboxes('counts.test', 1)
  await past(inbox, 50)
  const bad = await past(inbox, 9)
  await past(inbox, 100, 'sent', { days: 8 })
  await past(inbox, 100, 'cancelled')
  await past(inbox, 100, 'failed', { reply: '4.4.7 given up: 451 later' })
  await past(inbox, 100, 'failed', { reply: '5.7.1 the recipient gets no mail from here' })
  for (const id of bad) await bounced(id)
  assert.equal(await isPaused(inbox), false)
  const [late] = await past(inbox, 41)
  await bounced(late!)
  assert.equal(
    (await shown(inbox)).pause.message,
    'Of the last 100 messages of the inboxes of this domain, 10 came back or were refused.',
  )
})

test('an inbox that was paused by a request stays so, and says so', async () => {
  const [inbox] = await withInboxes('asked.test', 1)
  const [first, second] = await past(inbox, 100)
  await client.post(`/sender-accounts/${inbox.inbox_id}/pause`)
  await bounced(first!)
  await bounced(second!)
  assert.equal((await shown(inbox)).pause.reason, 'user')
})

test('two reports at the same moment are counted both, a hundred times', async () => {
  const inboxes = await withInboxes('race.test', 4)
  for (let round = 0; round < 25; round++) {
    await sql`update inboxes set status = 'ACTIVE', pause = null, counted_from = now()
      where id = any(${inboxes.map(({ inbox_id }) => inbox_id)}::uuid[])`.execute(db)
    const ids = await Promise.all(inboxes.map((inbox) => past(inbox, 100)))
    await Promise.all(ids.flatMap(([a, b]) => [bounced(a!), bounced(b!)]))
    assert.ok((await Promise.all(inboxes.map(isPaused))).every(Boolean), `round ${round}`)
  }
})

test('reports, resuming and attempts at the same moment do not wait for each other for ever', async () => {
  const [inbox] = await withInboxes('busy.test', 1)
  const ids = await past(inbox, 200)
  const resume = () => client.post(`/sender-accounts/${inbox.inbox_id}/resume`)
  await past(inbox, 50, 'deferred')
  await sql`update outgoing_messages set finished_at = null, next_at = now() + interval '1 hour'
    where inbox_id = ${inbox.inbox_id} and state = 'deferred'`.execute(db)
  const answers = await Promise.all(
    ids.slice(0, 60).flatMap((id, n) => (n % 5 === 0 ? [bounced(id), resume()] : [bounced(id)])),
  )
  for (const answer of answers) if (answer) assert.equal(answer.status, 200)
})

test('refusals in the session pause it as well, and so do the reports of a service', async () => {
  const [inbox, other] = await withInboxes('refusals.test', 2)
  await past(inbox, 98)
  const queued = await past(inbox, 2, 'queued')
  await sql`update outgoing_messages set finished_at = null, epoch = 7, next_at = now() + interval '1 hour'
    where id = any(${queued}::uuid[])`.execute(db)
  await recordAttempts(
    store,
    queued.map((id) => ({
      row: { id, epoch: '7', wake: '0', failures: 0 },
      result: { is: 'failed', reply: '550 5.7.1 blocked', host: 'mx' },
      afterMs: 0,
      failures: 1,
      isAttempt: true,
    })),
  )
  assert.equal((await shown(inbox)).pause.reason, 'bounce_rate')

  const ids = await past(other, 100, 'sent', { account: 'outside' })
  await sql`insert into handed_over (account, operation_id, recipient, claim_id, state)
    select 'outside', id::text, recipient, claim_id, 'accepted' from outgoing_messages
     where id = any(${ids.slice(0, 2)}::uuid[])`.execute(db)
  await keepReports(
    store,
    'outside',
    ids.slice(0, 2).map((operationId) => ({
      eventId: newId(),
      operationId,
      recipient: 'ann@inbox.test',
      state: 'bounced' as const,
      detail: '550 5.1.1',
      at: new Date(),
    })),
  )
  assert.equal((await shown(other)).pause.reason, 'bounce_rate')
})
