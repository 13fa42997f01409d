import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { conditionOf, type Json, until } from '../client.ts'
import { ask } from '../dns.ts'
import { anotherWorkspace, testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house
const rival = await house.clientOf({ workspace: anotherWorkspace() })

test('two workspaces claim one name: only the pair the parent shows activates, and it can move', async () => {
  const ours = (await client.post('/domains', { domain: 'wanted.test' })).body
  const theirs = (await rival.post('/domains', { domain: 'wanted.test' })).body
  assert.notDeepEqual(ours.nameservers, theirs.nameservers)

  await client.delegate('wanted.test', ours.nameservers)
  await client.untilDomain(ours.domain_id, ({ status }) => status === 'ACTIVE')
  await rival.post(`/domains/${theirs.domain_id}/activate`)
  const outside = (await rival.get(`/domains/${theirs.domain_id}`)).body
  assert.equal(outside.status, 'DNS_PENDING')
  assert.equal(outside.delegation.verdict, 'wrong_pair')
  assert.equal(outside.mailcow_added, false)

  await client.delegate('wanted.test', theirs.nameservers)
  await rival.untilDomain(theirs.domain_id, ({ status }) => status === 'ACTIVE')
  const former = await client.untilDomain(ours.domain_id, ({ sending }) => !sending.allowed)
  assert.equal(conditionOf(former, 'delegated').reason, 'wrong_pair')
  const { rows } = {
    rows: await house.store.db
      .selectFrom('mail_domains')
      .selectAll()
      .where('name', '=', 'wanted.test')
      .execute(),
  }
  assert.equal(rows.length, 1, 'the former holder has no mail domain left')
  const holders = await house.store.db
    .selectFrom('holders')
    .selectAll()
    .where('name', '=', 'wanted.test')
    .execute()
  assert.equal(holders.length, 1)
})

test('a pair the parent shows already is given to nobody', async () => {
  const first = (await client.post('/domains', { domain: 'dangling.test' })).body
  await client.delegate('dangling.test', first.nameservers)
  await client.untilDomain(first.domain_id, ({ status }) => status === 'ACTIVE')
  await client.delete(`/domains/${first.domain_id}`)
  await client.untilRemoval(first.domain_id, 'tombstone')
  for (let attempt = 0; attempt < 3; attempt++) {
    const squatter = await house.clientOf({ workspace: anotherWorkspace() })
    const { body } = await squatter.post('/domains', { domain: 'dangling.test' })
    assert.equal(body.nameservers.length, 2)
    assert.notDeepEqual(body.nameservers, first.nameservers)
  }
})

test('the same workspace gets the same pair again until the parent has shown it', async () => {
  const first = (await client.post('/domains', { domain: 'again.test' })).body
  await client.delete(`/domains/${first.domain_id}`)
  await client.untilRemoval(first.domain_id, 'done')
  const second = (await client.post('/domains', { domain: 'again.test' })).body
  assert.deepEqual(second.nameservers, first.nameservers)
  assert.notEqual(second.domain_id, first.domain_id)
})

test('an unconfirmed claim is served with SOA and NS, and nothing where the pool is pointed at', async () => {
  const { body: added } = await client.post('/domains', { domain: 'early.test' })
  const soa = await until(
    () => ask(house.dns, 'early.test', 'SOA'),
    ({ rcode }) => rcode === 'NOERROR',
  )
  assert.equal(soa.answers.length, 1)
  const ns = await ask(house.dns, 'early.test', 'NS')
  assert.deepEqual(ns.answers.map(({ data }) => data).toSorted(), added.nameservers)
  assert.equal((await ask(house.dns, 'early.test', 'MX')).answers.length, 0)

  const victim = (await client.post('/domains', { domain: 'victim.test' })).body
  await client.delegate('victim.test', victim.nameservers)
  await client.untilDomain(victim.domain_id, ({ status }) => status === 'ACTIVE')
  await rival.post('/domains', { domain: 'victim.test' })
  const served = await ask(house.dns, 'victim.test', 'NS')
  assert.deepEqual(served.answers.map(({ data }) => data).toSorted(), victim.nameservers)
})

test("one workspace's name inside another's zone is never served without a cut there", async () => {
  const parent = await client.addActive('acme.test')
  const child = (await rival.post('/domains', { domain: 'mail.acme.test' })).body
  await rival.delegate('mail.acme.test', child.nameservers)
  await rival.post(`/domains/${child.domain_id}/activate`)
  const shadowed = (await rival.get(`/domains/${child.domain_id}`)).body
  assert.equal(shadowed.delegation.verdict, 'shadowed')
  assert.equal(shadowed.status, 'DNS_PENDING')
  assert.deepEqual(shadowed.delegation.observed, [])
  const answer = await ask(house.dns, 'mail.acme.test', 'SOA')
  assert.equal(answer.rcode, 'NXDOMAIN')
  assert.equal(answer.authorities?.[0]?.name, 'acme.test')

  // The owner of the enclosing zone cuts the name off with exactly the child's pair.
  await addCut(parent.domain_id, 'mail.acme.test', child.nameservers)
  await rival.untilDomain(child.domain_id, ({ status }) => status === 'ACTIVE')
  const served = await ask(house.dns, 'mail.acme.test', 'MX')
  assert.equal(served.answers.length, 1)
})

test('whoever merely claims the name above takes nothing from a name that is held', async () => {
  const held = await client.addActive('go.above.test')
  const { body: above } = await rival.post('/domains', { domain: 'above.test' })
  const soa = await until(
    () => ask(house.dns, 'above.test', 'SOA'),
    ({ rcode }) => rcode === 'NOERROR',
  )
  assert.equal(soa.answers.length, 1)
  assert.equal((await ask(house.dns, 'go.above.test', 'MX')).answers.length, 1)
  const { body } = await client.post(`/domains/${held.domain_id}/check`)
  assert.equal(body.status, 'ACTIVE')
  await rival.delete(`/domains/${above.domain_id}`)
})

test('a name inside a zone of the same workspace is cut off by one call, and the cut goes with it', async () => {
  await client.addActive('home.test')
  const child = (await client.post('/domains', { domain: 'sub.home.test' })).body
  await client.post(`/domains/${child.domain_id}/activate`)
  const inside = (await client.get(`/domains/${child.domain_id}`)).body
  assert.equal(inside.delegation.verdict, 'inside_your_zone')
  for (let times = 0; times < 2; times++) {
    const { status, body } = await client.post(`/domains/${child.domain_id}/cut`)
    assert.deepEqual([status, body.zone], [200, 'home.test'])
    assert.deepEqual(body.nameservers, child.nameservers)
  }
  await client.untilDomain(child.domain_id, ({ status }) => status === 'ACTIVE')
  await client.delete(`/domains/${child.domain_id}`)
  await client.untilRemoval(child.domain_id, 'done')
  await until(
    () => ask(house.dns, 'sub.home.test', 'NS'),
    ({ rcode }) => rcode === 'NXDOMAIN',
  )
})

test('a name is not cut off where an alias of it stands', async () => {
  const { body: parent } = await client.get('/domains?search=home.test')
  const { domain_id } = parent.domains.find(({ domain_name }: Json) => domain_name === 'home.test')
  const alias = { name: 'shop', type: 'CNAME', value: 'shops.example.net.' }
  assert.equal((await client.post(`/domains/${domain_id}/records`, alias)).status, 201)
  const child = (await client.post('/domains', { domain: 'shop.home.test' })).body
  const { status, body } = await client.post(`/domains/${child.domain_id}/cut`)
  assert.deepEqual([status, body.error], [409, 'record_conflict'])
})

test('there is nothing to cut where the zone above is not the workspace’s', async () => {
  const alone = (await client.post('/domains', { domain: 'alone.test' })).body
  const below = (await rival.post('/domains', { domain: 'x.home.test' })).body
  for (const [by, { domain_id }] of [[client, alone] as const, [rival, below] as const]) {
    const { status, body } = await by.post(`/domains/${domain_id}/cut`)
    assert.deepEqual([status, body.error], [409, 'not_inside_your_zone'])
  }
})

/** The holder of the zone above delegates the name there. */
async function addCut(parentId: string, name: string, nameservers: string[]): Promise<void> {
  for (const value of nameservers) {
    const cut = { name, type: 'NS', value: `${value}.` }
    const added = await client.post(`/domains/${parentId}/records`, cut)
    assert.equal(added.status, 201)
  }
}
