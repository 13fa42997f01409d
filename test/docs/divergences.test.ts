/**
 * docs/divergences.md says what a client of the hosted original could notice. Each of its lines names
 * the test behind it; those that have no better place stand here.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { Client, type Json } from '../client.ts'
import { type TestHouse, testHouse } from '../house.ts'

const PAGE = readFileSync('docs/divergences.md', 'utf8')
const ROWS = [...PAGE.matchAll(/^\| (.+) \| \[(.+?)\]\(\.\.\/(.+?)\): “(.+?)” \|$/gm)]
const UNKNOWN = '0190a1b2-c3d4-7e5f-8a6b-123456789abc'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const errorOf = ({ status, body }: { status: number; body: Json }) => [status, body.error]

test('every line names a test that is there', () => {
  assert.ok(ROWS.length > 20)
  for (const [, , shown, file, sentence] of ROWS) {
    assert.ok(existsSync(file!), file)
    assert.equal(shown, file!.split('/').at(-1))
    assert.ok(readFileSync(file!, 'utf8').includes(sentence!), `${file}: ${sentence}`)
  }
  const lines = PAGE.split('\n').filter((line) => line.startsWith('| '))
  const headings = lines.filter((line) => line.startsWith('| What '))
  assert.equal(lines.length - headings.length, ROWS.length, 'a line that cannot be read')
})

test('every answer has a request id, and a well-formed one of the caller is kept', async () => {
  const path = '/api/public/v1/domains'
  const given = async (id: string) =>
    (await client.request('GET', path, undefined, { 'x-request-id': id })).headers.get(
      'x-request-id',
    )
  assert.match((await client.get('/domains')).headers.get('x-request-id')!, /^[0-9a-f-]{36}$/)
  assert.equal(await given('batch-7:42'), 'batch-7:42')
  assert.notEqual(await given('not well formed'), 'not well formed')
})

test('JSON that is announced and not sent is no error', async () => {
  const type = { 'content-type': 'application/json' }
  const path = `/api/public/v1/domains/${UNKNOWN}`
  const answer = await client.request('DELETE', path, '', type)
  assert.deepEqual(errorOf(answer), [404, 'domain_not_found'])
})

test('a domain that the workspace has is named by the error', async () => {
  const { body: first } = await client.post('/domains', { domain: 'twice.test' })
  const second = await client.post('/domains', { domain: 'TWICE.test.' })
  assert.deepEqual(errorOf(second), [409, 'domain_exists'])
  assert.equal(second.body.domain_id, first.domain_id)
})

test('activating what is not delegated answers 200 with the verdict and its evidence', async () => {
  const { body: added } = await client.post('/domains', { domain: 'eager.test' })
  const { status, body } = await client.post(`/domains/${added.domain_id}/activate`)
  assert.equal(status, 200)
  assert.equal(body.dns_verified, false)
  assert.equal(body.status, 'DNS_PENDING')
  assert.equal(body.estimated_completion, null)
  assert.equal(body.delegation.verdict, 'not_published')
  assert.equal(body.message, body.delegation.message)
  assert.ok(body.delegation.servers.length > 0)
})

test('activating is refused while the zone is being made', async () => {
  await using impatient = await testHouse({ MAILSTEAD_WAIT_MS: '0' })
  await impatient.client.misbehave('slow-zone.test', 'zone_ready', 'unavailable', 100)
  const { body: added } = await impatient.client.post('/domains', { domain: 'slow-zone.test' })
  assert.ok(['PENDING', 'DNS_CONFIGURING'].includes(added.status))
  const early = await impatient.client.post(`/domains/${added.domain_id}/activate`)
  assert.deepEqual(errorOf(early), [409, 'domain_not_ready'])
})

test('a workspace adds a name so often an hour, and so many claims on it may wait', async () => {
  await using strict = await testHouse({
    MAILSTEAD_ADDS_PER_NAME_PER_HOUR: '1',
    MAILSTEAD_PENDING_CLAIMS_PER_NAME: '1',
  })
  const add = (by: Client, domain: string) => by.post('/domains', { domain })
  const { body: added } = await add(strict.client, 'again.test')
  await strict.client.delete(`/domains/${added.domain_id}`)
  await strict.client.untilRemoval(added.domain_id, 'done')
  assert.deepEqual(errorOf(await add(strict.client, 'again.test')), [429, 'too_many_adds'])
  const other = await strict.clientOf({ workspace: UNKNOWN })
  assert.equal((await add(strict.client, 'wanted.test')).status, 201)
  assert.deepEqual(errorOf(await add(other, 'wanted.test')), [409, 'too_many_claims'])
})

test('the list can be searched, and an unknown status matches nothing', async () => {
  await client.post('/domains', { domain: 'needle-in-hay.test' })
  const names = async (query: string) =>
    (await client.get(`/domains?${query}`)).body.domains.map((each: Json) => each.domain_name)
  assert.deepEqual(await names('search=NEEDLE-in'), ['needle-in-hay.test'])
  assert.deepEqual(await names('search=needle&status=DNS_PENDING'), ['needle-in-hay.test'])
  assert.deepEqual(await names('search=needle&status=SLEEPING'), [])
})

const active = (name: string, of: TestHouse = house) => of.client.addActive(name)

const inboxOn = (domain: Json, localpart: string) =>
  client.post('/sender-accounts/coldsend-native', {
    domain_id: domain.domain_id,
    email_prefix: localpart,
    display_name: 'Someone',
  })

test("the names of the original's providers mean whichever provider there is", async () => {
  const { body: added } = await client.post('/domains', { domain: 'named.test' })
  assert.deepEqual(
    [added.mailcow_added, added.cloudflare_verified],
    [undefined, undefined],
    'the answer to an add has neither',
  )
  const domain = await active('whichever.test')
  assert.deepEqual([domain.mailcow_added, domain.cloudflare_verified], [true, true])
  const providers = { dns: 'embedded', sender: 'embedded', mailbox: 'embedded' }
  assert.deepEqual(domain.providers, providers)
})

test('a dry run of a removal lists what would go, and takes nothing', async () => {
  const domain = await active('rehearsed.test')
  await inboxOn(domain, 'kim')
  const { status, body } = await client.delete(`/domains/${domain.domain_id}?dry_run=true`)
  assert.equal(status, 200)
  assert.deepEqual([body.deleted, body.blockers], [false, []])
  const counts = new Map(body.would_remove.map((each: Json) => [each.what, each.count]))
  assert.equal(counts.get('inbox'), 1)
  assert.ok(counts.has('zone_ready') && counts.has('mail_domain_ready'))
  assert.equal((await client.get(`/domains/${domain.domain_id}`)).body.status, 'ACTIVE')
})

test('an inbox on a hosted domain has the type of the original', async () => {
  const domain = await active('typed.test')
  const { status, body } = await inboxOn(domain, 'Kim')
  assert.equal(status, 201)
  assert.equal(body.inbox_type, 'COLDSEND_NATIVE')
  assert.deepEqual(errorOf(await inboxOn(domain, 'kim')), [409, 'inbox_exists'])
})

test('an inbox beyond the capacity is refused with the numbers', async () => {
  const domain = await active('full.test')
  const id = domain.domain_id
  await store.db.updateTable('domains').set({ max_inboxes: 1 }).where('id', '=', id).execute()
  assert.equal((await inboxOn(domain, 'one')).status, 201)
  const { status, body } = await inboxOn(domain, 'two')
  assert.deepEqual(errorOf({ status, body }), [409, 'inbox_capacity_reached'])
  assert.deepEqual([body.max_inboxes, body.current_inboxes], [1, 1])
})

test('an inbox needs an active domain, and the error says how the domain stands', async () => {
  const { body: added } = await client.post('/domains', { domain: 'early.test' })
  const { status, body } = await inboxOn(added, 'kim')
  assert.deepEqual(errorOf({ status, body }), [409, 'domain_not_active'])
  assert.equal(body.domain_status, 'DNS_PENDING')
})

test('an active domain whose delegation was not seen within the hour does not send', async () => {
  const domain = await active('unseen.test')
  const { body: inbox } = await inboxOn(domain, 'kim')
  await store.db
    .updateTable('conditions')
    .set({ last_look_at: sql`now() - interval '61 minutes'` })
    .where('domain_id', '=', domain.domain_id)
    .where('type', '=', 'delegated')
    .execute()
  await store.db
    .updateTable('domains')
    .set({ looked_at: sql`now() - interval '61 minutes'` })
    .where('id', '=', domain.domain_id)
    .execute()
  const seen = (await client.get(`/domains/${domain.domain_id}`)).body
  const stopped = { allowed: false, reason: 'delegation_not_seen_lately' }
  assert.deepEqual([seen.status, seen.sending], ['ACTIVE', stopped])
  const { status, body } = await client.post(`/sender-accounts/${inbox.inbox_id}/test-email`, {
    recipient_email: 'visitor@inbox.test',
  })
  assert.deepEqual(errorOf({ status, body }), [409, 'sending_stopped'])
  assert.equal(body.reason, 'delegation_not_seen_lately')
})

test('a request for another host is refused before its key is looked at', async () => {
  const { port } = new URL(client.base)
  const nobody = new Client(`http://localhost:${port}`)
  assert.equal((await nobody.request('GET', '/healthz')).status, 200)
  const { status, error } = await askAs('elsewhere.example', port)
  assert.deepEqual([status, error], [421, 'unknown_host'])
})

/** `fetch` sets the Host header by itself, so this goes below it. */
async function askAs(host: string, port: string): Promise<{ status: number; error: string }> {
  const { request } = await import('node:http')
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; error: string }>()
  const path = '/api/public/v1/domains'
  request({ host: '127.0.0.1', port, path, headers: { host } }, (answer) => {
    let text = ''
    answer.on('data', (chunk) => {
      text += chunk
    })
    answer.on('end', () => resolve({ status: answer.statusCode!, error: JSON.parse(text).error }))
  })
    .on('error', reject)
    .end()
  return promise
}
