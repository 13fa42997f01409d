/** Inboxes one by one and many at once: settings, pauses, removal, health. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import type { Json } from '../client.ts'
import { until } from '../client.ts'
import { testHouse } from '../house.ts'
import { refuses, UNKNOWN_ID, violates } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const { domain_id } = await client.addActive('acme.test')

async function added(email_prefix: string): Promise<Json> {
  const fields = { domain_id, email_prefix, display_name: 'Kim Lee' }
  const { status, body } = await client.post('/sender-accounts/coldsend-native', fields)
  assert.equal(status, 201)
  return body
}
const put = (id: string, body: unknown) =>
  client.request('PUT', `/api/public/v1/sender-accounts/${id}`, body)
const sendTest = (id: string, recipient_email = 'ann@inbox.test') =>
  client.post(`/sender-accounts/${id}/test-email`, { recipient_email })
const bulk = (inboxes: readonly unknown[]) =>
  client.post('/sender-accounts/coldsend-native/bulk', { domain_id, inboxes })
const row = (email_prefix: string, display_name = 'Somebody') => ({ email_prefix, display_name })
const mailboxes = async () =>
  (await store.db.selectFrom('mailboxes').select('localpart').execute()).map(
    (each) => each.localpart,
  )
const events = async (inbox: string) =>
  (
    await store.db
      .selectFrom('events')
      .select('type')
      .where(sql<boolean>`data->>'inbox_id' = ${inbox}`)
      .orderBy('id')
      .execute()
  ).map(({ type }) => type)

test('one inbox is shown as it is in the list', async () => {
  const { inbox_id } = await added('shown')
  const { status, body } = await client.get(`/sender-accounts/${inbox_id}`)
  const { body: list } = await client.get('/sender-accounts?search=shown')
  assert.equal(status, 200)
  assert.deepEqual(body, list.sender_accounts[0])
})

test('its name and its limit can be changed, each alone', async () => {
  const { inbox_id } = await added('changed')
  const { body: named } = await put(inbox_id, { display_name: 'Kim Müller' })
  assert.deepEqual([named.display_name, named.daily_limit], ['Kim Müller', 100])
  const { body: limited } = await put(inbox_id, { daily_limit: 7 })
  assert.deepEqual([limited.display_name, limited.daily_limit], ['Kim Müller', 7])
  const { body: same } = await put(inbox_id, {})
  assert.deepEqual([same.display_name, same.daily_limit], ['Kim Müller', 7])
})

// biome-ignore format: a table
const NOT_SETTINGS: [body: unknown, loc: string, type: string][] = [
  [{ daily_limit: -1 },               'daily_limit',  'value_error.number.not_ge'],
  [{ daily_limit: 1.5 },              'daily_limit',  'type_error.integer'],
  [{ display_name: '' },              'display_name', 'value_error.any_str.min_length'],
  [{ display_name: 'a\r\nBcc: x' },   'display_name', 'value_error.str.regex'],
]
for (const [body, loc, type] of NOT_SETTINGS)
  test(`${JSON.stringify(body)} is no change`, async () => {
    const { inbox_id } = await added(`no${loc.length}${JSON.stringify(body).length}`)
    violates(await put(inbox_id, body), ['body', loc], type)
  })

test('with a limit of 0 nothing is sent', async () => {
  const { inbox_id } = await added('none')
  await put(inbox_id, { daily_limit: 0 })
  refuses(await sendTest(inbox_id), 429, 'sending_limit_reached')
})

test('a paused inbox takes no messages to send, and sends again once it is resumed', async () => {
  const { inbox_id } = await added('paused')
  for (const times of [1, 2]) {
    const { body } = await client.post(`/sender-accounts/${inbox_id}/pause`)
    assert.equal(body.overall_status, 'PAUSED', `paused ${times} times`)
  }
  refuses(await sendTest(inbox_id), 409, 'inbox_paused')
  for (const times of [1, 2]) {
    const { body } = await client.post(`/sender-accounts/${inbox_id}/resume`)
    assert.equal(body.overall_status, 'ACTIVE', `resumed ${times} times`)
  }
  assert.equal((await sendTest(inbox_id)).status, 200)
  assert.deepEqual(
    (await events(inbox_id)).filter((type) => /paused|resumed/.test(type)),
    ['inbox.paused', 'inbox.resumed'],
  )
})

test('what is queued waits while its inbox is paused', async () => {
  const { inbox_id } = await added('holds')
  await sendTest(inbox_id, 'later@defers.test')
  const queued = () =>
    store.db
      .selectFrom('outgoing_messages')
      .select(['state', 'last_reply', 'failures'])
      .where('inbox_id', '=', inbox_id)
      .executeTakeFirstOrThrow()
  await until(queued, ({ state }) => state === 'deferred')
  await client.post(`/sender-accounts/${inbox_id}/pause`)
  await store.db
    .updateTable('outgoing_messages')
    .set({ recipient: 'ann@inbox.test', next_at: new Date() })
    .where('inbox_id', '=', inbox_id)
    .execute()
  await until(queued, ({ last_reply }) => /the inbox is paused/.test(last_reply))
  await client.post(`/sender-accounts/${inbox_id}/resume`)
  await until(queued, ({ state }) => state === 'sent')
})

test('a pass over the domain leaves a paused inbox paused', async () => {
  const { inbox_id } = await added('stays')
  await client.post(`/sender-accounts/${inbox_id}/pause`)
  await added('another')
  const { body } = await client.get(`/sender-accounts/${inbox_id}`)
  assert.equal(body.overall_status, 'PAUSED')
})

test('a deleted inbox is in no list, and its mailbox is gone', async () => {
  const { inbox_id } = await added('gone')
  assert.ok((await mailboxes()).includes('gone'))
  const { status, body } = await client.delete(`/sender-accounts/${inbox_id}`)
  assert.deepEqual([status, body.inbox_id], [200, inbox_id])
  refuses(await client.get(`/sender-accounts/${inbox_id}`), 404, 'sender_account_not_found')
  refuses(await client.delete(`/sender-accounts/${inbox_id}`), 404, 'sender_account_not_found')
  refuses(await sendTest(inbox_id), 404, 'sender_account_not_found')
  await until(mailboxes, (there) => !there.includes('gone'))
  const refused = await client.sandbox('POST', '/mail', {
    from: 'ann@inbox.test',
    to: 'gone@acme.test',
  })
  refuses(refused, 409, 'mail_not_taken')
  assert.deepEqual((await events(inbox_id)).at(-1), 'inbox.deleted')
})

test('its address is free again, and the next owner finds none of its mail', async () => {
  const { inbox_id } = await added('reused')
  const mail = { from: 'ann@inbox.test', to: 'reused@acme.test', subject: 'For the first' }
  assert.equal((await client.sandbox('POST', '/mail', mail)).status, 202)
  await client.delete(`/sender-accounts/${inbox_id}`)
  const again = { domain_id, email_prefix: 'reused', display_name: 'The next' }
  const { body: next } = await until(
    () => client.post('/sender-accounts/coldsend-native', again),
    ({ status, body }) => {
      if (status !== 201) assert.equal(body.error, 'inbox_being_removed')
      return status === 201
    },
  )
  const { body } = await client.get('/replies')
  const { inbox_id: owner, ...thread } = body.conversations.find(
    ({ subject }: Json) => subject === 'For the first',
  )
  assert.notEqual(owner, next.inbox_id)
  assert.deepEqual(
    [thread.is_archived, thread.archived_inbox_email, thread.archived_domain_name],
    [true, 'reused@acme.test', 'acme.test'],
  )
})

test('its conversations are deleted at once on request', async () => {
  const { inbox_id } = await added('wiped')
  const mail = { from: 'ann@inbox.test', to: 'wiped@acme.test', subject: 'To be wiped' }
  assert.equal((await client.sandbox('POST', '/mail', mail)).status, 202)
  await client.delete(`/sender-accounts/${inbox_id}?mail=delete`)
  const { body } = await client.get('/replies')
  assert.ok(!body.conversations.some(({ subject }: Json) => subject === 'To be wiped'))
  const left = await store.db
    .selectFrom('threads')
    .select('id')
    .where('inbox_id', '=', inbox_id)
    .execute()
  assert.deepEqual(left, [])
})

async function useInCampaign(inbox_id: string, status: string): Promise<string> {
  const { workspace_id } = await store.db
    .selectFrom('inboxes')
    .select('workspace_id')
    .where('id', '=', inbox_id)
    .executeTakeFirstOrThrow()
  const id = crypto.randomUUID()
  await store.db
    .insertInto('campaigns')
    .values({ id, workspace_id, world: 'sandbox', name: 'Spring', status })
    .execute()
  await store.db.insertInto('campaign_inboxes').values({ campaign_id: id, inbox_id }).execute()
  return id
}

test('an inbox that an active campaign uses is not deleted', async () => {
  const { inbox_id } = await added('busy')
  const id = await useInCampaign(inbox_id, 'ACTIVE')
  const refused = await client.delete(`/sender-accounts/${inbox_id}`)
  refuses(refused, 409, 'inbox_in_use')
  assert.deepEqual(refused.body.blockers, [
    { type: 'campaign', id, name: 'Spring', status: 'ACTIVE' },
  ])
  await store.db.updateTable('campaigns').set({ status: 'PAUSED' }).execute()
  assert.equal((await client.delete(`/sender-accounts/${inbox_id}`)).status, 200)
})

test('many are added at once, each judged by itself, in order', async () => {
  const { status, body } = await bulk([
    row('first'),
    row('with space'),
    row('FIRST'),
    row('postmaster'),
    row('nameless', ''),
    row('second'),
  ])
  assert.equal(status, 202)
  assert.deepEqual(
    body.results.map(({ row, email_prefix, success, error }: Json) => [
      row,
      email_prefix,
      success,
      error,
    ]),
    [
      [0, 'first', true, null],
      [1, 'with space', false, 'invalid'],
      [2, 'FIRST', false, 'inbox_exists'],
      [3, 'postmaster', false, 'invalid'],
      [4, 'nameless', false, 'invalid'],
      [5, 'second', true, null],
    ],
  )
  assert.deepEqual([body.total, body.success_count, body.failed_count], [6, 2, 4])
  const progress = () => client.get(`/sender-accounts/coldsend-native/bulk/${body.job_id}/progress`)
  const { body: done } = await until(progress, ({ body }) => body.job.status === 'COMPLETED')
  assert.deepEqual(done.job.results, body.results)
  assert.deepEqual(
    [done.job.processed_count, done.job.success_count, done.job.failed_count],
    [6, 2, 4],
  )
  for (const localpart of ['first', 'second'])
    assert.ok((await mailboxes()).includes(localpart), localpart)
})

test('a progress is of its own workspace, and of a job that exists', async () => {
  const path = `/sender-accounts/coldsend-native/bulk/${UNKNOWN_ID}/progress`
  refuses(await client.get(path), 404, 'job_not_found')
})

// biome-ignore format: a table
const NOT_BULK: [inboxes: unknown[], loc: (string | number)[], type: string][] = [
  [[],                                           ['body', 'inboxes'], 'value_error.list.min_items'],
  [Array.from({ length: 101 }, () => row('x')),  ['body', 'inboxes'], 'value_error.list.max_items'],
  [[{ ...row('x'), email_prefix: 5 }],                        ['body', 'inboxes', 0, 'email_prefix'], 'type_error.str'],
]
for (const [inboxes, loc, type] of NOT_BULK)
  test(`a bulk request of ${inboxes.length} is refused: ${type}`, async () => {
    violates(await bulk(inboxes), loc, type)
  })

test('those beyond the capacity of the domain are told so, and ten requests at once do not exceed it', async () => {
  const { domain_id } = await client.addActive('small.test')
  await store.db
    .updateTable('domains')
    .set({ max_inboxes: 12 })
    .where('id', '=', domain_id)
    .execute()
  const requests = Array.from({ length: 10 }, (_, index) => {
    const inboxes = Array.from({ length: 5 }, (_, each) => row(`n${index}-${each}`))
    return client.post('/sender-accounts/coldsend-native/bulk', { domain_id, inboxes })
  })
  const results = (await Promise.all(requests)).flatMap(({ body }) => body.results)
  assert.equal(results.filter(({ success }) => success).length, 12)
  const refused = results.filter(({ success }) => !success)
  assert.deepEqual([...new Set(refused.map(({ error }) => error))], ['inbox_capacity_reached'])
})

test('many are deleted at once; what is in use or unknown is skipped', async () => {
  const [one, busy] = [await added('one'), await added('inuse')]
  await useInCampaign(busy.inbox_id, 'ACTIVE')
  const { status, body } = await client.post('/sender-accounts/bulk/delete', {
    inbox_ids: [one.inbox_id, busy.inbox_id, UNKNOWN_ID, one.inbox_id],
    confirm_deletion: true,
  })
  assert.equal(status, 200)
  assert.deepEqual(
    [body.total, body.deleted_count, body.failed_count, body.skipped_count],
    [3, 1, 0, 2],
  )
  assert.deepEqual(
    body.results.map(({ error }: Json) => error),
    [null, 'inbox_in_use', 'sender_account_not_found'],
  )
})

test('without the confirmation nothing is deleted', async () => {
  const { inbox_id } = await added('kept')
  const path = '/sender-accounts/bulk/delete'
  for (const confirm_deletion of [undefined, false, 'true']) {
    const { status } = await client.post(path, { inbox_ids: [inbox_id], confirm_deletion })
    assert.equal(status, 422)
  }
  assert.equal((await client.get(`/sender-accounts/${inbox_id}`)).status, 200)
})

test('its health tells limits, what came back, and the last error', async () => {
  const { inbox_id } = await added('healthy')
  await put(inbox_id, { daily_limit: 10 })
  await sendTest(inbox_id)
  await sendTest(inbox_id, 'nobody@bounces.test')
  const { body } = await until(
    () => client.get(`/sender-accounts/${inbox_id}/health`),
    ({ body }) => body.last_error !== null,
  )
  assert.deepEqual([body.daily_limit, body.sent_last_24_hours, body.remaining], [10, 2, 8])
  assert.equal(body.last_error.recipient, 'nobody@bounces.test')
  assert.match(body.last_error.reply, /^5/)
  assert.deepEqual(body.authentication, { spf: 'pass', dkim: 'pass', dmarc: 'pass' })
})

test('a test asks the services now', async () => {
  const { inbox_id } = await added('tested')
  const tested = async () => (await client.post(`/sender-accounts/${inbox_id}/test`)).body
  assert.equal((await tested()).works, true)
  await client.post(`/sender-accounts/${inbox_id}/pause`)
  const { works, checks } = await tested()
  assert.equal(works, false)
  assert.deepEqual(
    checks.filter(({ passed }: Json) => !passed).map(({ check }: Json) => check),
    ['inbox'],
  )
})
