import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { createApiKey, FIRST_WORKSPACE } from '#store/api-keys.ts'
import { Client } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { refuses, UNKNOWN_ID } from './expect.ts'
import { LIVE } from './live.ts'
import { ask, type Ids, nameOf, OPERATIONS } from './operations.ts'

const house = await testHouse(LIVE)
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const stranger = await house.clientOf({ workspace: anotherWorkspace() })
const otherWorld = new Client(
  client.base,
  (
    await createApiKey(store, {
      workspaceId: FIRST_WORKSPACE,
      world: 'live',
      name: 'live',
      scopes: ['*'],
    })
  ).key,
)

const domain = await client.addActive('tenant.test')
const inbox = (
  await client.post('/sender-accounts/coldsend-native', {
    domain_id: domain.domain_id,
    email_prefix: 'kim',
    display_name: 'Kim',
  })
).body
const ids: Ids = { domain: domain.domain_id, inbox: inbox.inbox_id }
const unknown: Ids = { domain: UNKNOWN_ID, inbox: UNKNOWN_ID }
const mail = { from: 'lead@inbox.test', to: inbox.email_address, subject: 'Hello', text: 'Hi' }
await client.sandbox('POST', '/mail', mail)

// biome-ignore format: a table
const OTHERS: readonly [who: string, other: Client][] = [
  ['another workspace',                  stranger],
  ['the same workspace in the other world', otherWorld],
]

for (const operation of OPERATIONS.filter(({ absent }) => absent)) {
  for (const [who, other] of OTHERS) {
    test(`${nameOf(operation)}: for ${who}, what is there and what is not answer alike`, async () => {
      const theirs = await ask(other, operation, ids)
      const nothing = await ask(other, operation, unknown)
      refuses(nothing, 404, operation.absent!)
      assert.deepEqual([theirs.status, theirs.body], [nothing.status, nothing.body])
    })
  }
}

test('a removal is told to the workspace that asked for it, and to nobody else', async () => {
  const { body: added } = await client.post('/domains', { domain: 'removed.test' })
  await client.delete(`/domains/${added.domain_id}`)
  await client.untilRemoval(added.domain_id, 'done')
  for (const [, other] of OTHERS) {
    refuses(await other.get(`/domains/${added.domain_id}/removal`), 404, 'removal_not_found')
  }
})

test('nothing of it is in the lists of others, whatever they filter by', async () => {
  // biome-ignore format: a table
  const lists = [
    ['/domains',                                        'domains'],
    ['/domains?search=tenant',                          'domains'],
    ['/domains?status=ACTIVE',                          'domains'],
    ['/sender-accounts',                                'sender_accounts'],
    [`/sender-accounts?domain_id=${domain.domain_id}`,  'sender_accounts'],
    ['/sender-accounts?search=kim',                     'sender_accounts'],
    ['/replies',                                        'conversations'],
    ['/replies?is_read=false',                          'conversations'],
  ] as const
  for (const [path, field] of lists) {
    assert.equal((await client.get(path)).body[field].length, 1, path)
    for (const [who, other] of OTHERS) {
      const { body } = await other.get(path)
      assert.deepEqual(body[field], [], `${who}: ${path}`)
      assert.equal(body.pagination?.total ?? body.total_count, 0, `${who}: ${path}`)
    }
  }
})

test('after all that, everything is as it was', async () => {
  const now = (await client.get(`/domains/${domain.domain_id}`)).body
  assert.equal(now.status, 'ACTIVE')
  assert.equal(now.current_inboxes, 1)
  assert.equal((await client.get('/replies')).body.total_count, 1)
})

test('a name that another workspace has can be added, and says nothing of them', async () => {
  const { status, body } = await stranger.post('/domains', { domain: 'tenant.test' })
  assert.equal(status, 201)
  assert.equal(body.status, 'DNS_PENDING')
  assert.notDeepEqual(body.nameservers, domain.nameservers)
  const seen = await stranger.untilDomain(body.domain_id, ({ delegation }) => delegation !== null)
  // Their pair may share one of its names with the one that is shown.
  assert.match(seen.delegation.verdict, /^(wrong_pair|partial)$/)
  assert.ok(!JSON.stringify(seen).includes(FIRST_WORKSPACE))
  assert.equal((await client.get(`/domains/${domain.domain_id}`)).body.status, 'ACTIVE')
})
