import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { conditionOf } from '../client.ts'
import { testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house

/** Adds a domain, has the parent publish something else than its pair, and gives what is then said. */
async function verdictFor(domain: string, nameservers: (pair: string[]) => string[]) {
  const { body: added } = await client.post('/domains', { domain })
  await client.delegate(domain, nameservers(added.nameservers))
  await client.post(`/domains/${added.domain_id}/activate`)
  const seen = (await client.get(`/domains/${added.domain_id}`)).body
  return { added, seen }
}

test('a name the parent does not know is not_published, with every server of the parent named', async () => {
  const { body: added } = await client.post('/domains', { domain: 'unheard.test' })
  const { body } = await client.post(`/domains/${added.domain_id}/activate`)
  assert.equal(body.dns_verified, false)
  assert.equal(body.status, 'DNS_PENDING')
  assert.equal(body.delegation.verdict, 'not_published')
  assert.deepEqual(body.delegation.expected, added.nameservers)
  assert.ok(
    body.delegation.servers.every(({ outcome }: { outcome: string }) => outcome === 'nxdomain'),
  )
  assert.match(body.message, /not registered, on hold, or has no nameservers/)
})

test('half delegated is partial; whole, it becomes ACTIVE', async () => {
  const { added, seen } = await verdictFor('half.test', ([first]) => [first!, 'ns.elsewhere.test'])
  assert.equal(seen.delegation.verdict, 'partial')
  assert.equal(seen.status, 'DNS_PENDING')
  assert.equal(seen.mailcow_added, false)
  await client.delegate('half.test', added.nameservers)
  await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
})

test('one name of the pair alone is partial too', async () => {
  const { seen } = await verdictFor('single.test', ([first]) => [first!])
  assert.equal(seen.delegation.verdict, 'partial')
})

test("the pair and a stranger's server beside it is partial", async () => {
  const { seen } = await verdictFor('beside.test', (pair) => [...pair, 'ns.elsewhere.test'])
  assert.equal(seen.delegation.verdict, 'partial')
})

test("a pair of ours that is not this claim's is wrong_pair and never activates it", async () => {
  const other = (await client.post('/domains', { domain: 'other.test' })).body
  const { seen } = await verdictFor('wrong.test', (pair) =>
    ['ada', 'alma', 'amy', 'ann']
      .map((label) => `${label}.ns.mailstead.test`)
      .filter((name) => !pair.includes(name))
      .slice(0, 2),
  )
  assert.equal(seen.delegation.verdict, 'wrong_pair')
  assert.equal(conditionOf(seen, 'delegated').waiting_for, 'customer')
  assert.equal(other.status, 'DNS_PENDING')
})

test("somebody else's servers are elsewhere, and are listed", async () => {
  const { seen } = await verdictFor('moved.test', () => [
    'ns1.elsewhere.test',
    'ns2.elsewhere.test',
  ])
  assert.equal(seen.delegation.verdict, 'elsewhere')
  assert.deepEqual(seen.delegation.observed, ['ns1.elsewhere.test', 'ns2.elsewhere.test'])
  assert.match(seen.delegation.message, /ns1\.elsewhere\.test and ns2\.elsewhere\.test/)
})

test('a DS left over keeps the domain from going on, and goes away with it', async () => {
  const { body: added } = await client.post('/domains', { domain: 'signed.test' })
  await client.delegate('signed.test', added.nameservers, { ds: [`12345 13 2 ${'ab'.repeat(32)}`] })
  await client.post(`/domains/${added.domain_id}/activate`)
  const seen = (await client.get(`/domains/${added.domain_id}`)).body
  assert.equal(seen.delegation.verdict, 'ds_left_over')
  assert.equal(seen.status, 'DNS_PENDING')
  await client.delegate('signed.test', added.nameservers)
  await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
})

test('a parent that cannot be asked changes no verdict, and no pair is issued without one', async () => {
  const { body: added } = await client.post('/domains', { domain: 'silent.test' })
  await client.post(`/domains/${added.domain_id}/activate`)
  await client.misbehave('silent.test', 'delegated', 'rejected', 1000)
  await client.delegate('silent.test', added.nameservers)
  const stalled = await client.untilDomain(added.domain_id, (domain) =>
    /could not be taken/.test(conditionOf(domain, 'delegated').message),
  )
  assert.equal(stalled.delegation.verdict, 'not_published')
  assert.equal(stalled.status, 'DNS_PENDING')
  assert.equal(conditionOf(stalled, 'delegated').status, 'waiting')

  await client.misbehave('unasked.test', 'delegated', 'rejected', 1000)
  const { body: unasked } = await client.post('/domains', { domain: 'unasked.test' })
  assert.deepEqual(unasked.nameservers, [])
  assert.equal(unasked.status, 'DNS_CONFIGURING')

  await client.sandbox('DELETE', '/outcomes/silent.test')
  await client.sandbox('DELETE', '/outcomes/unasked.test')
  await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
  await client.untilDomain(unasked.domain_id, ({ nameservers }) => nameservers.length === 2)
})
