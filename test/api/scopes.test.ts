import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testHouse } from '../house.ts'
import { UNKNOWN_ID } from './expect.ts'
import { ask, nameOf, OPERATIONS } from './operations.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const ids = { domain: UNKNOWN_ID, inbox: UNKNOWN_ID }

const RESOURCES = [
  'domains',
  'sender_accounts',
  'replies',
  'campaigns',
  'leads',
  'webhooks',
  'keys',
]
const ACTIONS = ['create', 'read', 'update', 'delete']
const EVERY_SCOPE = RESOURCES.flatMap((resource) => ACTIONS.map((act) => `${resource}:${act}`))

for (const operation of OPERATIONS) {
  const { scope } = operation
  const resource = scope.split(':')[0]!

  test(`${nameOf(operation)} needs ${scope}, and no number of other scopes will do`, async () => {
    const others = [
      ...EVERY_SCOPE.filter((each) => each !== scope),
      ...RESOURCES.filter((each) => each !== resource).map((each) => `${each}:all`),
    ]
    // biome-ignore format: a table
    const granted: readonly string[][] = [
      [], others, [`${resource}:*`], [resource], [`${scope}s`], [scope.toUpperCase()], ['all'], ['*:*'],
    ]
    for (const scopes of granted) {
      const client = await house.clientOf({ scopes })
      const { status, body } = await ask(client, operation, ids)
      assert.equal(status, 403)
      assert.deepEqual(body, {
        detail: `Missing required scopes: ${scope}`,
        error: 'insufficient_scopes',
        required: [scope],
        granted: scopes,
      })
    }
  })

  test(`${nameOf(operation)} is allowed by ${scope}, ${resource}:all and *`, async () => {
    for (const scopes of [[scope], [`${resource}:all`], ['*'], ['keys:read', scope]]) {
      const { status } = await ask(await house.clientOf({ scopes }), operation, ids)
      assert.ok(![401, 403].includes(status), `${scopes}: ${status}`)
    }
  })
}

test('a scope is asked for before the request is judged, so that nothing is learnt without it', async () => {
  const client = await house.clientOf({ scopes: ['replies:read'] })
  for (const path of ['/domains/not-a-uuid', '/domains?limit=0', `/domains/${UNKNOWN_ID}`]) {
    assert.equal((await client.get(path)).status, 403, path)
  }
  assert.equal((await client.post('/domains', '{not json')).status, 403)
})
