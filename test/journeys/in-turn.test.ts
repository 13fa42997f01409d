/** One tenant's services do not answer for long: the domains of others are looked at all the same. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { anotherWorkspace, testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())

/** More than have a place, each of which is busy for seconds whenever it has one. */
const DOMAINS = 120
const ALWAYS = 100_000

test('a tenant whose domains all wait for a slow service holds up no new domain of a neighbour', async (t) => {
  const tenant = await house.clientOf({ workspace: anotherWorkspace() })
  const names = Array.from({ length: DOMAINS }, (_, n) => `slow${n}.test`)
  await Promise.all(names.map((name) => tenant.misbehave(name, 'zone_ready', 'slow', ALWAYS)))
  // Each is answered when it has been looked at, for which the first of them take long.
  const adding = names.map((domain) => tenant.post('/domains', { domain }))
  await adding[0]
  const begun = performance.now()
  await house.client.addActive('neighbour.test')
  t.diagnostic(`${Math.round(performance.now() - begun)} ms`)
  const { rows } = await sql<{ count: string }>`
    select count(*) from domains where name like 'slow%' and epoch = 0`.execute(house.store.db)
  assert.ok(Number(rows[0]!.count) > 0, 'some of the tenant’s were not even looked at yet')
  for (const { status } of await Promise.all(adding)) assert.equal(status, 201)
})
