/** The feed of a workspace: everything that happens, in one order, from any point on. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { EVENTS, type EventType } from '#events/catalogue.ts'
import { insertDomainEvent } from '#store/events.ts'
import { newId } from '../../src/ids.ts'
import { type Client, type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { sendMail } from '../smtp.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

async function allOf(reader: Client, limit = 100, query = ''): Promise<Json[]> {
  const events: Json[] = []
  let after = '0'
  for (;;) {
    const { status, body } = await reader.get(`/events?after=${after}&limit=${limit}${query}`)
    assert.equal(status, 200)
    events.push(...body.events)
    if (body.events.length < limit) return events
    after = body.next_after
  }
}

const added = async (domain: string): Promise<Json> =>
  (await client.post('/domains', { domain })).body

const idsOf = (events: readonly Json[]) => events.map(({ event_id }) => event_id)

test('a life is told whole: domain, inbox, mail out and in, key, and the end', async () => {
  const domain = await client.addActive('told.test')
  const wish = { domain_id: domain.domain_id, email_prefix: 'kim', display_name: 'Kim' }
  const { body: inbox } = await client.post('/sender-accounts/coldsend-native', wish)
  await client.post(`/sender-accounts/${inbox.inbox_id}/test-email`, {
    recipient_email: 'someone@inbox.test',
  })
  await until(
    () => sendMail(house.smtp, ['kim@told.test'], 'From: ann@outside.test\r\n\r\nHello\r\n'),
    (code) => code === 250,
  )
  // A removal would take what is still queued.
  await until(
    () => allOf(client),
    (told) => told.some(({ type }) => type === 'message.sent'),
  )
  const { body: made } = await client.post('/keys', { name: 'second', scopes: ['events:read'] })
  await client.delete(`/keys/${made.key_id}`)
  await client.delete(`/domains/${domain.domain_id}`)
  const wanted: EventType[] = [
    'domain.created',
    'domain.delegated',
    'domain.active',
    'inbox.created',
    'inbox.ready',
    'message.sent',
    'message.received',
    'key.created',
    'key.revoked',
    'inbox.deleted',
    'domain.deleted',
  ]
  const events = await until(
    () => allOf(client),
    (told) => wanted.every((type) => told.some((event) => event.type === type)),
  )
  for (const event of events) {
    const [data] = EVENTS[event.type as EventType]
    assert.deepEqual(data.strict().parse(event.data), event.data, event.type)
  }
  const received = events.find(({ type }) => type === 'message.received')
  assert.equal(received.data.inbox_id, inbox.inbox_id)
  assert.equal(received.data.from, 'ann@outside.test')
  assert.equal(received.domain_id, null)
  const times = events.map(({ at }) => Date.parse(at))
  assert.deepEqual(times, times.toSorted())
})

test('pages of three make up the same feed as pages of a hundred, each event once', async () => {
  const whole = idsOf(await allOf(client))
  assert.ok(whole.length > 20)
  assert.equal(new Set(whole).size, whole.length)
  assert.deepEqual(idsOf(await allOf(client, 3)).slice(0, whole.length), whole)
})

test('only the types that are asked for', async () => {
  const some = await allOf(client, 2, '&types=domain.created,key.created')
  assert.deepEqual(
    new Set(some.map(({ type }) => type)),
    new Set(['domain.created', 'key.created']),
  )
})

test('an event of a transaction that ends late comes late, and is not skipped', async () => {
  const { domain_id } = await added('late.test')
  const lateMessage = 'told late'
  const committed = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const late = store.db.transaction().execute(async (tx) => {
    await insertDomainEvent(tx, domain_id, { type: 'domain.retried', message: lateMessage })
    begun.resolve()
    await committed.promise
  })
  await begun.promise
  await added('sooner.test')
  const { body: first } = await client.get('/events?limit=100')
  const before = await allOf(client)
  assert.ok(!before.some(({ message }) => message === lateMessage))
  assert.ok(before.some(({ message }) => message === 'sooner.test was added.'))
  assert.ok(first.events.length > 0)
  const { body: last } = await client.get(`/events?limit=100&after=${before.length}`)
  committed.resolve()
  await late
  const { body: behind } = await client.get(`/events?after=${last.next_after}`)
  assert.ok(behind.events.some(({ message }: Json) => message === lateMessage))
})

test('readers at the same moment agree on the order', async () => {
  await Promise.all(Array.from({ length: 5 }, (_, n) => added(`crowd${n}.test`)))
  const read = await Promise.all(Array.from({ length: 8 }, () => allOf(client, 10)))
  const whole = idsOf(await allOf(client))
  for (const one of read) assert.deepEqual(idsOf(one), whole.slice(0, one.length))
})

test('another workspace sees nothing of it, nor does a key without the scope', async () => {
  const other = await house.clientOf({ workspace: newId() })
  const types = (await allOf(other)).map(({ type }) => type)
  assert.deepEqual(types, ['key.created'])
  const without = await house.clientOf({ scopes: ['domains:read'] })
  assert.equal((await without.get('/events')).status, 403)
})

test('what is not a position, or not a type, is refused', async () => {
  for (const query of [
    'after=x',
    'after=-1',
    'after=',
    'types=nothing',
    'types=',
    'limit=0',
    'limit=101',
  ])
    assert.equal((await client.get(`/events?${query}`)).status, 422, query)
  assert.equal((await client.get('/events?after=999999999999999999')).status, 200)
})

test('a stream tells what happens, and goes on behind the last that was seen', async () => {
  const seen = await openStream({ 'last-event-id': String((await allOf(client)).length) })
  await added('streamed.test')
  const first = await seen.until((text) => text.includes('streamed.test was added.'))
  seen.close()
  const [, id] = /id: (\d+)\nevent: domain\.created/.exec(first)!
  await added('afterwards.test')
  const again = await openStream({ 'last-event-id': id! })
  const second = await again.until((text) => text.includes('afterwards.test was added.'))
  again.close()
  assert.ok(!second.includes('streamed.test was added.'))
})

test('a client that does not read its stream does not have the product hold all events in memory', async () => {
  const reader = await house.clientOf({ workspace: newId() })
  const { body } = await reader.post('/domains', { domain: 'unread.test' })
  const { host, port } = new URL(reader.base)
  await sql`
    insert into events (id, workspace_id, world, domain_id, type, message)
    select gen_random_uuid(), workspace_id, world, id, 'stage.waiting', repeat('x', 4000)
      from domains, generate_series(1, 15000) where id = ${body.domain_id}`.execute(store.db)
  const socket = connect(Number(port), host.split(':')[0])
  await once(socket, 'connect')
  socket.pause()
  const held = () => process.memoryUsage().heapUsed + process.memoryUsage().external
  const before = held()
  socket.write(
    'GET /api/public/v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n' +
      `X-API-Key: ${reader.key}\r\n\r\n`,
  )
  let most = 0
  for (let looks = 0; looks < 40; looks++) {
    await delay(100)
    most = Math.max(most, held() - before)
  }
  socket.destroy()
  assert.ok(most < 40 * 2 ** 20, `${Math.round(most / 2 ** 20)} MiB of 60 are held`)
})

async function openStream(headers: Record<string, string>) {
  const stop = new AbortController()
  const response = await fetch(`${client.base}/api/public/v1/events`, {
    headers: { 'x-api-key': client.key!, accept: 'text/event-stream', ...headers },
    signal: AbortSignal.any([stop.signal, AbortSignal.timeout(30_000)]),
  })
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  let text = ''
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  return {
    close: () => stop.abort(),
    async until(isThere: (text: string) => boolean) {
      while (!isThere(text)) text += (await reader.read()).value ?? assert.fail('it ended')
      return text
    },
  }
}
