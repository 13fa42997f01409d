/** Every operation with an id in it, as the document lists them, asked with the ids of others. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createApiKey, FIRST_WORKSPACE } from '#store/api-keys.ts'
import { newId } from '../../src/ids.ts'
import { Client, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import {
  bodySchemaOf,
  type Described,
  documentOf,
  operationsIn,
  type Samples,
  sampleBody,
  samplePath,
} from './document.ts'
import { UNKNOWN_ID } from './expect.ts'
import { LIVE } from './live.ts'

const house = await testHouse(LIVE)
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const live = { workspaceId: FIRST_WORKSPACE, world: 'live', name: 'live', scopes: ['*'] } as const

// biome-ignore format: a table
const OTHERS: readonly [who: string, other: Client][] = [
  ['another workspace',                     await house.clientOf({ workspace: anotherWorkspace() })],
  ['the same workspace in the other world', new Client(client.base, (await createApiKey(store, live)).key)],
]

const domain = await client.addActive('matrix.test')
const { body: inbox } = await client.post('/sender-accounts/coldsend-native', {
  domain_id: domain.domain_id,
  email_prefix: 'kim',
  display_name: 'Kim',
})
await until(
  () =>
    client.post(`/sender-accounts/${inbox.inbox_id}/test-email`, {
      recipient_email: 'ann@inbox.test',
    }),
  ({ status }) => status === 200,
)
const [message] = (await client.get('/messages')).body.messages
const { body: job } = await client.post('/sender-accounts/coldsend-native/bulk', {
  domain_id: domain.domain_id,
  inboxes: [{ email_prefix: 'no address', display_name: 'None' }],
})
await client.sandbox('POST', '/mail', {
  from: 'ann@inbox.test',
  to: 'kim@matrix.test',
  subject: 'x',
})
const [thread] = (await client.get('/replies')).body.conversations
const { body: suppression } = await client.post('/suppressions', { email_address: 'x@inbox.test' })
const key = await createApiKey(store, { ...live, world: 'sandbox', name: 'a key' })
const { body: removed } = await client.post('/domains', { domain: 'matrix-removed.test' })
await client.delete(`/domains/${removed.domain_id}`)

/** Ids of things that are there, by the name that a path or a body gives them. */
const THEIRS: Samples = {
  domain_id: domain.domain_id,
  inbox_id: inbox.inbox_id,
  key_id: key.keyId,
  message_id: message.id,
  job_id: job.job_id,
  thread_id: thread.thread_id,
  password_id: 'aaaaaaaa',
  attachment_id: '0',
  suppression_id: suppression.suppression_id,
  record_id: domain.dns_records[0].record_id,
}
const ANYTHING: Samples = { domain: 'matrix.test', email_prefix: newId().slice(0, 8) }
const UNKNOWN: Samples = Object.fromEntries(Object.keys(THEIRS).map((name) => [name, UNKNOWN_ID]))

const document = await documentOf(client)
const operations = operationsIn(document).filter(({ path }) => path.startsWith('/api/public/'))
const namesAnId = ({ path, operation }: Described) =>
  /\{\w+_id\}/.test(path) ||
  (bodySchemaOf(operation)?.required ?? []).some((name) => name.endsWith('_id'))

function ask(other: Client, described: Described, ids: Samples) {
  const samples = { ...ANYTHING, ...ids }
  const { operation, method } = described
  const body = operation.requestBody ? sampleBody(operation, samples) : undefined
  return other.request(method, samplePath(described, samples), body)
}

for (const described of operations.filter(namesAnId)) {
  const { method, path } = described
  for (const [who, other] of OTHERS) {
    test(`${method} ${path}: for ${who}, what is there and what is not answer alike`, async () => {
      const nothing = await ask(other, described, UNKNOWN)
      assert.equal(nothing.status, 404, JSON.stringify(nothing.body))
      assert.match(nothing.body.error, /^[a-z_]+_not_found$/)
      const theirs = await ask(other, described, THEIRS)
      assert.deepEqual([theirs.status, theirs.body], [nothing.status, nothing.body])
      const gone = await ask(other, described, { ...THEIRS, domain_id: removed.domain_id })
      assert.deepEqual(gone.status, nothing.status)
    })
  }
}

test('an id in a query of others finds nothing, as an unknown one does', async () => {
  const withIds = operations.flatMap(({ method, path, operation }) =>
    operation.parameters
      .filter(({ name, in: place }) => place === 'query' && name in THEIRS)
      .map(({ name }) => ({ method, path, name })),
  )
  assert.ok(withIds.length > 0)
  for (const { method, path, name } of withIds) {
    for (const [who, other] of OTHERS) {
      const of = (id: unknown) => other.request(method, `${path}?${name}=${id}`)
      const [theirs, nothing] = [await of(THEIRS[name]), await of(UNKNOWN_ID)]
      assert.deepEqual([theirs.status, theirs.body], [nothing.status, nothing.body], who)
    }
  }
})

test('after all that, everything is as it was', async () => {
  const now = (await client.get(`/domains/${domain.domain_id}`)).body
  assert.deepEqual([now.status, now.current_inboxes], ['ACTIVE', 1])
  assert.equal((await new Client(client.base, key.key).get('/domains')).status, 200)
})
