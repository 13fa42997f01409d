/** Where the zone host leads visitors itself, a redirect needs no web server of ours. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Client } from '../client.ts'
import { type Json, until } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { NOTHING_LEFT, startOutside } from '../outside.ts'
import { leadsTo, visit } from '../redirect.ts'

const outside = await startOutside({ redirectRules: true })
after(() => outside[Symbol.asyncDispose]())
const { cloudflare } = outside
const WITHOUT_REDIRECTS = { MAILSTEAD_ROLES: 'api,worker,dns,smtp' }
const house = await testHouse({ ...outside.settings, ...WITHOUT_REDIRECTS })
after(() => house[Symbol.asyncDispose]())
outside.bind(house)
const { client } = house

const edge = `${cloudflare.edge.address}:${cloudflare.edge.port}`
const nameserver = `${cloudflare.dns.address}:${cloudflare.dns.port}`
const addressesOf = async (name: string) =>
  (await ask(nameserver, name, 'A')).answers.map(({ data }) => data)

async function activeAt(dns: string, domain: string): Promise<string> {
  const { body } = await client.post('/domains', { domain, providers: { dns } })
  await client.delegate(domain, body.nameservers)
  await client.untilDomain(body.domain_id, ({ status }) => status === 'ACTIVE')
  if (dns === 'cf') cloudflare.activate(domain)
  return `/domains/${body.domain_id}`
}

const untilSetUp = (path: string, at: Client = client): Promise<Json> =>
  until(
    async () => (await at.get(`${path}/redirect`)).body,
    (seen) => seen.setup_completed,
  )

async function removed(domain: string, path: string): Promise<void> {
  await client.undelegate(domain)
  await client.delete(path)
  await client.untilRemoval(path.split('/').at(-1)!, 'done')
}

test('visitors are led by the rule, from the name and from www, until the redirect is deleted', async () => {
  const path = await activeAt('cf', 'led.test')
  assert.equal(
    (await client.post(`${path}/redirect`, { target_domain: 'company.example' })).status,
    200,
  )
  await untilSetUp(path)
  assert.deepEqual(await addressesOf('led.test'), [cloudflare.edge.address])
  const seen = await visit(edge, 'GET /a/b?c=d', 'www.led.test')
  assert.deepEqual(
    [seen.status, seen.headers.get('location')],
    [301, 'https://company.example/a/b?c=d'],
  )
  const other = { target_domain: 'other.example', status_code: 302, preserve_path: false }
  await client.post(`${path}/redirect`, { ...other, preserve_query_string: false })
  await until(
    () => leadsTo(edge, 'led.test', '/a?b=c'),
    (location) => location === 'https://other.example/',
  )
  await client.delete(`${path}/redirect`)
  await until(
    () => addressesOf('led.test'),
    ({ length }) => length === 0,
  )
  assert.equal((await client.get(path)).body.status, 'ACTIVE')
  await removed('led.test', path)
})

test('a removal takes the redirect with it', async () => {
  const path = await activeAt('cf', 'going.test')
  await client.post(`${path}/redirect`, { target_domain: 'company.example' })
  await untilSetUp(path)
  await client.delete(path)
  await until(
    () => addressesOf('going.test'),
    ({ length }) => length === 0,
  )
  await removed('going.test', path)
})

test('a token without the right to rules costs the redirect, and nothing of the mail', async () => {
  const path = await activeAt('cf', 'without.test')
  cloudflare.forbidRedirects()
  const { body } = await client.post(`${path}/redirect`, { target_domain: 'company.example' })
  assert.equal(body.setup_completed, false)
  assert.deepEqual(await addressesOf('without.test'), [])
  await client.post(`${path}/check`)
  await client.post(`${path}/check`)
  const { events } = (await client.get(`${path}/events`)).body
  const told = events.filter(({ type }: Json) => type === 'redirect.refused')
  assert.deepEqual(
    told.map(({ message }: Json) => message),
    ['Cloudflare denies us the right to redirect rules.'],
  )
  const seen = (await client.get(path)).body
  assert.equal(seen.status, 'ACTIVE')
  assert.ok(seen.conditions.every((each: Json) => each.status === 'met'))
  const meanwhile = await activeAt('cf', 'meanwhile.test')
  cloudflare.allowRedirects()
  await client.post(`${path}/check`)
  await untilSetUp(path)
  assert.equal(await leadsTo(edge, 'without.test'), 'https://company.example/')
  await removed('without.test', path)
  await removed('meanwhile.test', meanwhile)
})

test('where a token loses that right, the redirect goes on as it was', async () => {
  const path = await activeAt('cf', 'lost.test')
  await client.post(`${path}/redirect`, { target_domain: 'company.example' })
  await untilSetUp(path)
  cloudflare.forbidRedirects()
  await client.post(`${path}/redirect`, { target_domain: 'other.example' })
  await client.delete(`${path}/redirect`)
  await client.post(`${path}/check`)
  assert.equal(await leadsTo(edge, 'lost.test'), 'https://company.example/')
  assert.deepEqual(await addressesOf('lost.test'), [cloudflare.edge.address])
  await removed('lost.test', path)
  cloudflare.allowRedirects()
})

test('at a host that leads nobody, and without a web server of ours, there are no redirects', async () => {
  const path = await activeAt('embedded', 'nobody.test')
  const { status, body } = await client.post(`${path}/redirect`, {
    target_domain: 'company.example',
  })
  assert.deepEqual([status, body.error], [409, 'redirects_not_configured'])
  await removed('nobody.test', path)
})

test('afterwards nothing is left anywhere', async () => {
  assert.deepEqual(await outside.left(), NOTHING_LEFT)
})
