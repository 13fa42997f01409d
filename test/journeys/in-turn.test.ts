/** One tenant's services do not answer for long: the domains of others are looked at all the same. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { anotherWorkspace, testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())

/** More than have a place, each of which is busy for seconds whenever it has one. */
const DOMAINS = 120
const ALWAYS = 100_000
const SOON_MS = 10_000

test('a tenant whose domains all wait for a slow service holds up no new domain of a neighbour', async (t) => {
  const tenant = await house.clientOf({ workspace: anotherWorkspace() })
  const names = Array.from({ length: DOMAINS }, (_, n) => `slow${n}.test`)
  await Promise.all(names.map((name) => tenant.misbehave(name, 'zone_ready', 'slow', ALWAYS)))
  // Each is answered when it has been looked at, for which the first of them take long.
  const adding = names.map((domain) => tenant.post('/domains', { domain }))
  await adding[0]
  const begun = performance.now()
  await house.client.addActive('neighbour.test')
  const tookMs = performance.now() - begun
  t.diagnostic(`${Math.round(tookMs)} ms`)
  assert.ok(tookMs < SOON_MS, `${tookMs} ms`)
  for (const { status } of await Promise.all(adding)) assert.equal(status, 201)
})
