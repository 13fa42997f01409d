/** What is remembered of messages that were accepted to be sent, and who waits for whom. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sql } from 'kysely'
import { type Client, type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'

const house = await testHouse({ MAILSTEAD_SEND_LIMIT_PER_WORKSPACE: '60' })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

async function withInbox(of: Client, domain: string): Promise<Json> {
  const { domain_id } = await of.addActive(domain)
  const inbox = { domain_id, email_prefix: 'kim', display_name: 'Kim' }
  const { body } = await of.post('/sender-accounts/coldsend-native', inbox)
  await until(
    async () => (await of.get(`/sender-accounts?domain_id=${domain_id}`)).body.sender_accounts[0],
    ({ overall_status }) => overall_status === 'ACTIVE',
  )
  return body
}

const testEmail = (of: Client, inbox: Json, recipient_email: string) =>
  of.post(`/sender-accounts/${inbox.inbox_id}/test-email`, { recipient_email })

const untilMessage = (of: Client, recipient: string, isWanted: (message: Json) => boolean) =>
  until(
    async () => (await of.get(`/messages?recipient=${recipient}`)).body.messages[0],
    (message) => message !== undefined && isWanted(message),
  )

let inbox: Json
before(async () => {
  inbox = await withInbox(client, 'acme.test')
})

test('a message is listed and shown with its attempts and what was said, and no probe is', async () => {
  const { body: taken } = await testEmail(client, inbox, 'ann@inbox.test')
  const sent = await untilMessage(client, 'ann@inbox.test', ({ state }) => state !== 'queued')
  assert.equal(sent.state, 'sent')
  assert.equal(sent.message_id, taken.message_id)
  assert.deepEqual([sent.inbox_id, sent.origin], [inbox.inbox_id, 'test'])
  const { body } = await client.get(`/messages/${sent.id}`)
  const [attempt, ...more] = body.attempts
  assert.equal(more.length, 0)
  assert.deepEqual([attempt.number, attempt.outcome], [1, 'sent'])
  assert.match(attempt.host, /^postbox\S* \[127\./)
  assert.match(
    attempt.conversation,
    /C: RCPT TO:<ann@inbox\.test>\n[\s\S]*S: 250 OK: message queued\n$/,
  )
  const { messages, pagination } = (await client.get('/messages')).body
  assert.ok(messages.every(({ origin }: Json) => origin !== 'probe'))
  assert.equal(pagination.total, messages.length)
})

test('by inbox, state and recipient, and nobody sees those of another workspace', async () => {
  await testEmail(client, inbox, 'bob@bounces.test')
  const failed = await untilMessage(client, 'bob@bounces.test', ({ state }) => state === 'failed')
  assert.match(failed.last_reply, /^550 5\.1\.1/)
  const listed = async (query: string) => (await client.get(`/messages?${query}`)).body.messages
  assert.ok((await listed('state=failed')).every(({ state }: Json) => state === 'failed'))
  assert.ok((await listed(`inbox_id=${inbox.inbox_id}`)).length >= 2)
  assert.deepEqual(await listed('inbox_id=00000000-0000-0000-0000-000000000000'), [])
  assert.equal((await client.get('/messages?state=lost')).status, 422)
  const rival = await house.clientOf({ workspace: anotherWorkspace() })
  assert.equal((await rival.get(`/messages/${failed.id}`)).status, 404)
  assert.deepEqual((await rival.get('/messages')).body.messages, [])
})

test('what is refused for good is told to the inbox, in the conversation with the recipient', async () => {
  await testEmail(client, inbox, 'eve@bounces.test')
  await untilMessage(client, 'eve@bounces.test', ({ state }) => state === 'failed')
  const { conversations } = (await client.get('/replies?limit=100')).body
  const told = conversations.find(({ lead_email }: Json) => lead_email === 'eve@bounces.test')
  assert.equal(told.inbox_id, inbox.inbox_id)
  assert.match(told.subject, /^Not delivered: your message to eve@bounces\.test/)
  assert.match(told.last_message_preview, /was not delivered/)
})

test('a message that is put off is tried again, and each attempt is kept', async () => {
  await testEmail(client, inbox, 'joe@defers.test')
  const first = await untilMessage(client, 'joe@defers.test', ({ state }) => state === 'deferred')
  assert.notEqual(first.next_attempt_at, null)
  await sql`update outgoing_messages set next_at = now() where id = ${first.id}`.execute(store.db)
  store.doorbell.ring('outgoing-due')
  const { body } = await until(
    () => client.get(`/messages/${first.id}`),
    ({ body: { attempts } }) => attempts.length === 2,
  )
  assert.deepEqual(
    body.attempts.map(({ number, outcome }: Json) => [number, outcome]),
    [
      [1, 'deferred'],
      [2, 'deferred'],
    ],
  )
})

test('a limit holds over any 24 hours, says when it ends, and counts no one twice', async () => {
  const limited = await withInbox(client, 'limited.test')
  await sql`update inboxes set daily_limit = 3 where id = ${limited.inbox_id}`.execute(store.db)
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, n) => testEmail(client, limited, `n${n}@inbox.test`)),
  )
  const statuses = answers.map(({ status }) => status).toSorted()
  assert.deepEqual(statuses, [200, 200, 200, 429, 429, 429, 429, 429])
  const { body, headers } = answers.find(({ status }) => status === 429)!
  assert.deepEqual([body.error, body.limit_of, body.limit], ['sending_limit_reached', 'inbox', 3])
  const endsInMs = Date.parse(body.limit_ends_at) - Date.now()
  assert.ok(endsInMs > 86_000_000 && endsInMs <= 86_400_000, `${endsInMs}`)
  assert.ok(Number(headers.get('retry-after')) > 86_000)
  // Yesterday does not end at midnight, but 24 hours after each message.
  await sql`update outgoing_messages set created_at = created_at - interval '24 hours'
    where id = (select id from outgoing_messages where inbox_id = ${limited.inbox_id} limit 1)`.execute(
    store.db,
  )
  assert.equal((await testEmail(client, limited, 'again@inbox.test')).status, 200)
  assert.equal((await testEmail(client, limited, 'again@inbox.test')).status, 429)
})

test('a workspace has a limit over all its inboxes', async () => {
  const tenant = await house.clientOf({ workspace: anotherWorkspace() })
  const own = await withInbox(tenant, 'tenant.test')
  await sql`update inboxes set daily_limit = 1000 where id = ${own.inbox_id}`.execute(store.db)
  const answers = []
  for (let n = 0; n < 61; n++) answers.push(await testEmail(tenant, own, 'many@inbox.test'))
  assert.equal(answers.filter(({ status }) => status === 200).length, 60)
  assert.equal(answers.at(-1)!.body.limit_of, 'workspace')
})

test('a tenant whose destination never comes to an end holds up no neighbour, and no new domain', async () => {
  const noisy = await house.clientOf({ workspace: anotherWorkspace() })
  const theirs = await withInbox(noisy, 'noisy.test')
  await sql`update inboxes set daily_limit = 1000 where id = ${theirs.inbox_id}`.execute(store.db)
  // 'slow.test' takes half a minute for each recipient.
  for (let n = 0; n < 50; n++) await testEmail(noisy, theirs, `n${n}@slow.test`)
  const neighbour = await house.clientOf({ workspace: anotherWorkspace() })
  const beganActive = performance.now()
  const own = await withInbox(neighbour, 'neighbour.test')
  const activeMs = performance.now() - beganActive
  const began = performance.now()
  await testEmail(neighbour, own, 'prompt@inbox.test')
  await untilMessage(neighbour, 'prompt@inbox.test', ({ state }) => state === 'sent')
  const sentMs = performance.now() - began
  assert.ok(sentMs < 3000 && activeMs < 10_000, `${sentMs} ms, ${activeMs} ms`)
})
