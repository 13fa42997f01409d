/** Two workspaces and one name, at a zone host that holds one zone a name. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { conditionOf, until } from '../client.ts'
import { ask } from '../dns.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { NOTHING_LEFT, startOutside } from '../outside.ts'
import { withoutPdns } from '../pdns.ts'

const outside = await startOutside()
after(() => outside[Symbol.asyncDispose]())
const house = await testHouse(outside.settings)
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const ours = house.client
const theirs = await house.clientOf({ workspace: anotherWorkspace() })
const nameserversAt = async (server: string, name: string) =>
  (await ask(server, name, 'NS')).answers.map(({ data }) => String(data)).toSorted()

describe('at PowerDNS', { skip: withoutPdns ?? false }, () => {
  const providers = { dns: 'pdns', sender: 'azure-west', mailbox: 'mail-1' }

  test('the claim whose pair the parent shows gets the zone, and the other gives it up', async () => {
    const first = await ours.post('/domains', { domain: 'fought.test', providers })
    const second = await theirs.post('/domains', { domain: 'fought.test', providers })
    assert.equal(first.body.status, 'DNS_PENDING')
    const waiting = await theirs.untilDomain(
      second.body.domain_id,
      (domain) => conditionOf(domain, 'zone_ready').reason === 'name_in_use',
    )
    assert.equal(waiting.nameservers.length, 2)
    assert.notDeepEqual(waiting.nameservers, first.body.nameservers)
    await ours.delegate('fought.test', first.body.nameservers)
    await ours.untilDomain(first.body.domain_id, ({ status }) => status === 'ACTIVE')
    // The owner moves on: the parent shows the other pair.
    await theirs.delegate('fought.test', waiting.nameservers)
    await ours.post(`/domains/${first.body.domain_id}/activate`)
    await theirs.post(`/domains/${second.body.domain_id}/activate`)
    await theirs.untilDomain(second.body.domain_id, ({ status }) => status === 'ACTIVE', 60_000)
    const { pdns } = outside
    const served = await nameserversAt(`${pdns!.dns.address}:${pdns!.dns.port}`, 'fought.test')
    assert.deepEqual(served, waiting.nameservers)
    const lost = (await ours.get(`/domains/${first.body.domain_id}`)).body
    assert.equal(lost.sending.allowed, false)
    for (const [client, id] of [
      [ours, first.body.domain_id],
      [theirs, second.body.domain_id],
    ] as const) {
      await client.undelegate('fought.test')
      await client.delete(`/domains/${id}`)
      await client.untilRemoval(id, 'done')
    }
    assert.deepEqual(await outside.left(), NOTHING_LEFT)
  })
})

describe('at PowerDNS, below a zone that is there', { skip: withoutPdns ?? false }, () => {
  const providers = { dns: 'pdns' }

  test('nobody can make a part of it vanish: the zone is made only under a cut', async () => {
    const { pdns } = outside
    const server = `${pdns!.dns.address}:${pdns!.dns.port}`
    const squatter = await theirs.post('/domains', { domain: 'early.acme.test', providers })
    assert.equal(squatter.body.status, 'DNS_PENDING')
    const parent = await ours.post('/domains', { domain: 'acme.test', providers })
    await ours.delegate('acme.test', parent.body.nameservers)
    await ours.untilDomain(parent.body.domain_id, ({ status }) => status === 'ACTIVE')
    // Made before anybody held the name above; it goes once somebody does.
    await until(
      () => pdns!.zones(),
      (zones) => !zones.includes('early.acme.test.'),
    )
    const late = await theirs.post('/domains', { domain: 'late.acme.test', providers })
    const refused = await theirs.untilDomain(
      late.body.domain_id,
      (domain) => conditionOf(domain, 'zone_ready').reason === 'shadowed',
    )
    assert.equal(refused.delegation.verdict, 'shadowed')
    assert.deepEqual(await pdns!.zones(), ['acme.test.'])
    assert.equal((await ask(server, 'acme.test', 'MX')).answers.length, 1)
  })
})

describe('at Cloudflare', () => {
  const providers = { dns: 'cf' }

  test('the second claim waits, with a sentence, until the first is gone', async () => {
    const first = await ours.post('/domains', { domain: 'queue.test', providers })
    const second = await theirs.post('/domains', { domain: 'queue.test', providers })
    const waiting = await theirs.untilDomain(
      second.body.domain_id,
      (domain) => conditionOf(domain, 'zone_ready').reason === 'name_in_use',
    )
    assert.deepEqual(waiting.nameservers, [])
    assert.equal(
      conditionOf(waiting, 'zone_ready').message,
      'Another claim on queue.test is at the zone host.',
    )
    await ours.delete(`/domains/${first.body.domain_id}`)
    await ours.untilRemoval(first.body.domain_id, 'done')
    const next = await theirs.untilDomain(
      second.body.domain_id,
      ({ status }) => status === 'DNS_PENDING',
    )
    assert.notDeepEqual(next.nameservers, first.body.nameservers)
    await theirs.delegate('queue.test', next.nameservers)
    await theirs.untilDomain(second.body.domain_id, ({ status }) => status === 'ACTIVE')
  })

  test('a zone that somebody made there by hand is left alone', async () => {
    const { cloudflare } = outside
    const headers = {
      authorization: `Bearer ${cloudflare.apiToken}`,
      'content-type': 'application/json',
    }
    const zone = { account: { id: cloudflare.accountId }, name: 'byhand.test', type: 'full' }
    await fetch(`${cloudflare.apiUrl}/zones`, {
      method: 'POST',
      headers,
      body: JSON.stringify(zone),
    })
    const { body } = await ours.post('/domains', { domain: 'byhand.test', providers })
    const failed = await ours.untilDomain(body.domain_id, ({ status }) => status === 'FAILED')
    assert.equal(failed.failure.reason, 'conflict')
    assert.match(failed.failure.message, /has a zone byhand\.test that this claim did not make/)
    await ours.delete(`/domains/${body.domain_id}`)
    await ours.untilRemoval(body.domain_id, 'done')
    assert.ok(cloudflare.holdings().zones.includes('byhand.test'))
  })

  test('a name below a zone there is delegated by that zone’s cut alone', async () => {
    const parent = await ours.post('/domains', { domain: 'above.test', providers })
    await ours.delegate('above.test', parent.body.nameservers)
    await ours.untilDomain(parent.body.domain_id, ({ status }) => status === 'ACTIVE')
    const child = await ours.post('/domains', { domain: 'mail.above.test' })
    const inside = await ours.untilDomain(
      child.body.domain_id,
      ({ delegation }) => delegation?.verdict === 'inside_your_zone',
    )
    assert.equal(inside.status, 'DNS_PENDING')
  })
})
