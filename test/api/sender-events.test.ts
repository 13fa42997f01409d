/** What Azure's Event Grid posts: the handshake, reports, and what must not be believed. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { startOutside } from '../outside.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings)
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client, store } = house
const { azure } = outside

const SECRET = 'canary-event-secret-4711-abcdef'
const hook = (secret = SECRET, account = 'azure-west') =>
  `${client.base}/api/hooks/senders/${account}?secret=${secret}`

const active = async (name: string) => {
  const { body } = await client.post('/domains', {
    domain: name,
    providers: { sender: 'azure-west' },
  })
  await client.delegate(name, body.nameservers)
  return client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
}

const stateOf = async (operationId: string) => {
  const row = await store.db
    .selectFrom('handed_over')
    .select(['state', 'detail', 'reported_at'])
    .where('operation_id', '=', operationId)
    .executeTakeFirst()
  return row?.state
}

const bouncesTold = async (messageId: string) => {
  const { body } = await client.get('/events?types=message.bounced')
  return body.events.filter(({ data }: Json) => data.message_id === messageId)
}

test('the handshake is answered with its code, and reports find their message', async () => {
  await azure.subscribe(hook())
  await active('events.test')
  const [probe] = azure.sent.filter(({ from }) => from.endsWith('@events.test'))
  await until(
    () => stateOf(probe!.operationId),
    (state) => state === 'delivered',
  )
  await azure.reportDelivery(probe!.operationId, 'Bounced', { times: 3 })
  assert.equal(await stateOf(probe!.operationId), 'bounced')
  const told = await bouncesTold(probe!.operationId)
  assert.equal(told.length, 1, 'an event that is posted three times is told once')
  const { state, content_id } = await store.db
    .selectFrom('outgoing_messages')
    .select(['state', 'content_id'])
    .where('id', '=', probe!.operationId)
    .executeTakeFirstOrThrow()
  assert.equal(state, 'bounced')
  assert.equal(content_id, null)
  const contents = await store.db.selectFrom('message_contents').select('id').execute()
  assert.deepEqual(contents, [], 'the service has the message now, and nobody here needs it')
})

const report = (over: object = {}, data: object = {}) => ({
  id: 'e-1',
  eventType: 'Microsoft.Communication.EmailDeliveryReportReceived',
  eventTime: '2026-11-23T12:00:00Z',
  data: { messageId: 'op', recipient: 'a@example.net', status: 'Bounced', ...data },
  ...over,
})

const post = async (url: string, body: unknown) => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: answer.status, body: (await answer.json()) as Json }
}

test('an earlier report that comes later changes nothing', async () => {
  const handed = {
    account: 'azure-west',
    operation_id: 'late',
    claim_id: null,
    recipient: 'a@example.net',
    reported_at: null,
  }
  await store.db.insertInto('handed_over').values(handed).execute()
  const at = (id: string, status: string, deliveryAttemptTimeStamp: string) =>
    post(hook(), [report({ id }, { messageId: 'late', status, deliveryAttemptTimeStamp })])
  await at('l-1', 'Delivered', '2026-11-23T12:00:05Z')
  await at('l-2', 'Failed', '2026-11-23T12:00:01Z')
  assert.equal(await stateOf('late'), 'delivered')
})

test('an event in a shape of its own does not hold up the others of its post', async () => {
  const handed = {
    account: 'azure-west',
    operation_id: 'among-others',
    claim_id: null,
    recipient: 'a@example.net',
    reported_at: null,
  }
  await store.db.insertInto('handed_over').values(handed).execute()
  const good = report({ id: 'm-1' }, { messageId: 'among-others', status: 'Delivered' })
  const odd = [null, 'an event', { id: 7 }, report({ id: '' }), report({ data: null })]
  const posted = await post(hook(), [...odd, good, ...odd])
  assert.deepEqual(posted, { status: 200, body: {} })
  assert.equal(await stateOf('among-others'), 'delivered')
})

test('both spellings of the time are read', async () => {
  for (const name of ['deliveryAttemptTimeStamp', 'deliveryAttemptTimestamp']) {
    const operation = `spelt-${name}`
    const handed = {
      account: 'azure-west',
      operation_id: operation,
      claim_id: null,
      recipient: 'a@example.net',
      reported_at: null,
    }
    await store.db.insertInto('handed_over').values(handed).execute()
    await post(hook(), [
      report({ id: operation }, { messageId: operation, [name]: '2026-11-23T10:00:00Z' }),
    ])
    const row = await store.db
      .selectFrom('handed_over')
      .select('reported_at')
      .where('operation_id', '=', operation)
      .executeTakeFirstOrThrow()
    assert.equal(row.reported_at?.toISOString(), '2026-11-23T10:00:00.000Z')
  }
})

// biome-ignore format: a table
const REFUSED: [what: string, url: string, body: unknown, status: number][] = [
  ['a wrong secret',            hook('wrong'),                 [report()],             404],
  ['no secret',                 hook(''),                      [report()],             404],
  ['an unknown account',        hook(SECRET, 'azure-east'),    [report()],             404],
  ['an account without events', hook(SECRET, 'mail-1'),        [report()],             404],
  ['what is no list',           hook(),                        report(),               400],
  ['events without ids',        hook(),                        [report({ id: '' })],   400],
  ['what is no JSON',           hook(),                        '{oops',                400],
]

for (const [what, url, body, status] of REFUSED) {
  test(`refused: ${what}`, async () => {
    const answer = await post(url, body)
    assert.equal(answer.status, status, JSON.stringify(answer.body))
    assert.ok(answer.body.detail)
  })
}

// biome-ignore format: a table
const IGNORED: [what: string, event: object][] = [
  ['a state we do not know',        report({ id: 'i-1' }, { status: 'Teleported' })],
  ['an event of another kind',      report({ id: 'i-2', eventType: 'Microsoft.Communication.SMSReceived' })],
  ['a report without a recipient',  report({ id: 'i-3' }, { recipient: undefined })],
  ['a time that is none',           report({ id: 'i-4', eventTime: 'soon' })],
  ['a message we never handed over', report({ id: 'i-5' }, { messageId: 'strange' })],
]

for (const [what, event] of IGNORED) {
  test(`taken and left alone: ${what}`, async () => {
    assert.deepEqual(await post(hook(), [event]), { status: 200, body: {} })
    assert.equal(await stateOf('strange'), undefined)
  })
}

test('the secret is in no line of the log', () => {
  assert.ok(house.logLines.some((line) => line.includes('/api/hooks/senders/azure-west')))
  assert.ok(!house.logLines.some((line) => line.includes(SECRET)))
})
