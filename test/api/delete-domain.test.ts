import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { FIRST_WORKSPACE } from '#store/api-keys.ts'
import { TOPICS } from '#store/context.ts'
import { dropMailOfRemoved } from '#store/mail-retention.ts'
import { newId } from '../../src/ids.ts'
import { type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { smtpReply } from '../smtp.ts'
import { hasFields, isInstant, refuses, tally } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

async function withInbox(domain: string): Promise<{ id: string; inbox: Json }> {
  const { domain_id } = await client.addActive(domain)
  const { body } = await client.post('/sender-accounts/coldsend-native', {
    domain_id,
    email_prefix: 'kim',
    display_name: 'Kim',
  })
  return { id: domain_id, inbox: body }
}

/** A campaign that uses these inboxes. */
async function campaign(status: string, inboxes: readonly string[]): Promise<string> {
  const id = newId()
  const values = { id, workspace_id: FIRST_WORKSPACE, world: 'sandbox' as const }
  await store.db
    .insertInto('campaigns')
    .values({ ...values, name: `Spring ${status}`, status })
    .execute()
  for (const inbox_id of inboxes)
    await store.db.insertInto('campaign_inboxes').values({ campaign_id: id, inbox_id }).execute()
  return id
}

const setStatus = (id: string, status: string) =>
  store.db.updateTable('campaigns').set({ status }).where('id', '=', id).execute()
const testEmail = (inbox: string, recipient_email: string) =>
  client.post(`/sender-accounts/${inbox}/test-email`, { recipient_email })
const arrivedAt = async (address: string): Promise<Json[]> =>
  (await client.sandbox('GET', `/mail?to=${address}`)).body.messages

test('the answer is that of the contract', async () => {
  const { body: added } = await client.post('/domains', { domain: 'shape.test' })
  const { status, body } = await client.delete(`/domains/${added.domain_id}`)
  assert.equal(status, 200)
  const { message, ...rest } = body
  assert.deepEqual(rest, {
    success: true,
    domain_id: added.domain_id,
    domain_name: 'shape.test',
    deleted: true,
  })
  assert.equal(typeof message, 'string')
})

test('refused while an active campaign uses an inbox of it, with every such campaign named', async () => {
  const { id, inbox } = await withInbox('used.test')
  const other = await withInbox('elsewhere.test')
  const active = await campaign('ACTIVE', [inbox.inbox_id, other.inbox.inbox_id])
  const second = await campaign('ACTIVE', [inbox.inbox_id])
  for (const status of ['DRAFT', 'PAUSED', 'COMPLETED', 'FAILED'])
    await campaign(status, [inbox.inbox_id])
  await campaign('ACTIVE', [])

  const answer = await client.delete(`/domains/${id}`)
  refuses(answer, 409, 'domain_in_use')
  hasFields(answer.body, 'detail error blockers')
  const name = 'Spring ACTIVE'
  assert.deepEqual(
    answer.body.blockers.toSorted((a: Json, b: Json) => (a.id < b.id ? -1 : 1)),
    [active, second]
      .toSorted()
      .map((each) => ({ type: 'campaign', id: each, name, status: 'ACTIVE' })),
  )

  const now = (await client.get(`/domains/${id}`)).body
  assert.deepEqual([now.status, now.sending.allowed], ['ACTIVE', true], 'nothing was taken away')
  assert.equal((await testEmail(inbox.inbox_id, 'still@inbox.test')).status, 200)

  await setStatus(active, 'PAUSED')
  const stillUsed = await client.delete(`/domains/${id}`)
  assert.deepEqual(
    stillUsed.body.blockers.map((each: Json) => each.id),
    [second],
  )
  await setStatus(second, 'PAUSED')
  assert.equal((await client.delete(`/domains/${id}`)).status, 200)
})

test('afterwards everything of it is gone from the API, and only its removal can be read', async () => {
  const { id, inbox } = await withInbox('gone.test')
  await client.delete(`/domains/${id}`)
  // biome-ignore format: a table
  const requests = [
    ['GET',    `/domains/${id}`,                                  'domain_not_found'],
    ['GET',    `/domains/${id}/progress`,                         'domain_not_found'],
    ['POST',   `/domains/${id}/activate`,                         'domain_not_found'],
    ['DELETE', `/domains/${id}`,                                  'domain_not_found'],
    ['POST',   '/sender-accounts/coldsend-native',                'domain_not_found'],
    ['POST',   `/sender-accounts/${inbox.inbox_id}/test-email`,   'sender_account_not_found'],
  ] as const
  const body = {
    domain_id: id,
    email_prefix: 'ann',
    display_name: 'Ann',
    recipient_email: 'x@inbox.test',
  }
  for (const [method, path, error] of requests) {
    const sent = method === 'POST' ? body : undefined
    refuses(await client.request(method, `/api/public/v1${path}`, sent), 404, error)
  }
  for (const [path, field] of [
    ['/domains?search=gone', 'domains'],
    ['/sender-accounts?search=gone', 'sender_accounts'],
    [`/sender-accounts?domain_id=${id}`, 'sender_accounts'],
  ] as const) {
    const { body: listed } = await client.get(path)
    assert.deepEqual([listed[field], listed.pagination.total], [[], 0], path)
  }
})

test('its removal is told in the shape of the contract', async () => {
  const { id } = await withInbox('told.test')
  refuses(await client.get(`/domains/${id}/removal`), 404, 'removal_not_found')
  await client.delete(`/domains/${id}`)
  const { body } = await client.get(`/domains/${id}/removal`)
  hasFields(body, 'domain_id domain_name state steps started_at finished_at')
  assert.deepEqual([body.domain_id, body.domain_name], [id, 'told.test'])
  assert.match(body.state, /^(removing|tombstone|done|abandoned)$/)
  isInstant(body.started_at)
  for (const step of body.steps) {
    hasFields(step, 'what provider state message')
    assert.equal(typeof step.message, 'string')
  }
  await client.undelegate('told.test')
  const done = await client.untilRemoval(id, 'done')
  isInstant(done.finished_at)
  assert.ok(done.steps.every(({ state }: Json) => state === 'removed'))
})

test('a removal is told of for thirty days', async () => {
  const { body: added } = await client.post('/domains', { domain: 'month.test' })
  await client.delete(`/domains/${added.domain_id}`)
  await client.untilRemoval(added.domain_id, 'done')
  const ended = (daysAgo: number) =>
    store.db
      .updateTable('domains')
      .set({ removed_at: new Date(Date.now() - daysAgo * 86_400_000) })
      .where('id', '=', added.domain_id)
      .execute()
  await ended(29.9)
  assert.equal((await client.get(`/domains/${added.domain_id}/removal`)).status, 200)
  await ended(30.1)
  refuses(await client.get(`/domains/${added.domain_id}/removal`), 404, 'removal_not_found')
})

test('mail for it is put off as soon as it is deleted, however its tear-down fares', async () => {
  const { id } = await withInbox('arriving.test')
  assert.equal(await smtpReply(house.smtp, 'kim@arriving.test'), 250)
  await client.misbehave('arriving.test', 'mail_domain_ready', 'unavailable', 100_000)
  await client.delete(`/domains/${id}`)
  assert.equal(await smtpReply(house.smtp, 'kim@arriving.test'), 450)
  await client.sandbox('DELETE', '/outcomes/arriving.test')
})

test('what is still queued when it is deleted is not sent any more, however its tear-down fares', async () => {
  const { id, inbox } = await withInbox('queued.test')
  assert.equal((await testEmail(inbox.inbox_id, 'later@defers.test')).status, 200)
  const queued = () =>
    store.db
      .selectFrom('outgoing_messages')
      .select(['id', 'last_reply'])
      .where('recipient', '=', 'later@defers.test')
      .executeTakeFirst()
  await until(queued, (row) => row?.last_reply !== '')
  await client.misbehave('queued.test', 'mail_domain_ready', 'unavailable', 100_000)
  assert.equal((await client.delete(`/domains/${id}`)).status, 200)
  await store.db
    .updateTable('outgoing_messages')
    .set({ recipient: 'late@inbox.test', next_at: new Date() })
    .where('recipient', '=', 'later@defers.test')
    .execute()
  store.doorbell.ring(TOPICS.outgoingDue)
  await delay(2000)
  assert.deepEqual(await arrivedAt('late@inbox.test'), [])
  await client.sandbox('DELETE', '/outcomes/queued.test')
})

test('of twenty who delete it at once, one is told that it is deleted', async () => {
  const { body: added } = await client.post('/domains', { domain: 'once.test' })
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => client.delete(`/domains/${added.domain_id}`)),
  )
  assert.deepEqual(tally(answers), { 200: 1, 404: 19 })
})

test('inboxes asked for while it is deleted are made before it or refused, and none is left', async () => {
  const { domain_id } = await client.addActive('hurry.test')
  const asked = Array.from({ length: 20 }, (_, index) =>
    client.post('/sender-accounts/coldsend-native', {
      domain_id,
      email_prefix: `kim${index}`,
      display_name: 'Kim',
    }),
  )
  const [deleted, ...answers] = await Promise.all([
    client.delete(`/domains/${domain_id}`),
    ...asked,
  ])
  assert.equal(deleted.status, 200)
  for (const { status, body } of answers)
    assert.ok([201, 404].includes(status), `${status} ${JSON.stringify(body)}`)
  assert.equal((await client.get('/sender-accounts?search=hurry')).body.pagination.total, 0)
})

for (const stage of ['zone_ready', 'sender_registered', 'mail_domain_ready']) {
  test(`a domain stuck at ${stage} can be deleted as well`, async () => {
    const name = `stuck-${stage.replaceAll('_', '-')}.test`
    await client.misbehave(name, stage, 'rejected', 1000)
    const { body: added } = await client.post('/domains', { domain: name })
    const { nameservers } = await client.untilDomain(
      added.domain_id,
      (seen) => seen.nameservers.length > 0,
    )
    await client.delegate(name, nameservers)
    await client.untilDomain(added.domain_id, ({ status }) => status === 'FAILED')
    await client.sandbox('DELETE', `/outcomes/${name}`)
    assert.equal((await client.delete(`/domains/${added.domain_id}`)).status, 200)
    await client.undelegate(name)
    await client.untilRemoval(added.domain_id, 'done')
  })
}

test('conversations stay when their domain goes', async () => {
  const { id, inbox } = await withInbox('kept.test')
  const mail = { from: 'lead@inbox.test', to: inbox.email_address, subject: 'Kept', text: 'Hi' }
  assert.equal((await client.sandbox('POST', '/mail', mail)).status, 202)
  await client.delete(`/domains/${id}`)
  const { conversations } = (await client.get('/replies')).body
  const kept = conversations.find(({ subject }: Json) => subject === 'Kept')
  assert.deepEqual(
    [kept.is_archived, kept.archived_domain_name, kept.archived_inbox_email],
    [true, 'kept.test', 'kim@kept.test'],
  )
  const mbox = async () => {
    const path = `${client.base}/api/public/v1/domains/${id}/mail`
    const answer = await fetch(path, { headers: { 'x-api-key': client.key! } })
    return answer.status === 200 ? answer.text() : `${answer.status}`
  }
  assert.match(
    await mbox(),
    /^From lead@inbox\.test .*\nReturn-Path: <lead@inbox\.test>\n[\s\S]*Subject: Kept/,
  )
  // When its time is up, nothing of it is left.
  await store.db
    .updateTable('domains')
    .set({ mail_until: new Date() })
    .where('id', '=', id)
    .execute()
  await dropMailOfRemoved(store)
  assert.equal(await mbox(), '404')
  const left = (await client.get('/replies')).body.conversations
  assert.ok(!left.some(({ subject }: Json) => subject === 'Kept'))
})

test('or go with it at once, when that is asked for', async () => {
  const { id, inbox } = await withInbox('private.test')
  const mail = { from: 'lead@inbox.test', to: inbox.email_address, subject: 'Private', text: 'Hi' }
  assert.equal((await client.sandbox('POST', '/mail', mail)).status, 202)
  assert.equal((await client.delete(`/domains/${id}?mail=burn`)).status, 422)
  assert.equal((await client.delete(`/domains/${id}?mail=delete`)).status, 200)
  const { conversations } = (await client.get('/replies')).body
  assert.ok(!conversations.some(({ subject }: Json) => subject === 'Private'))
  const rows = await store.db
    .selectFrom('messages')
    .select('id')
    .where('subject', '=', 'Private')
    .execute()
  assert.deepEqual(rows, [])
})
