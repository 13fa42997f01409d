/** What shows how a domain fares: its timeline, progress as a stream, its zone as a file, a look on demand. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { refuses } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house
const acme = await client.addActive('acme.test')
const at = (path: string) => `/domains/${acme.domain_id}${path}`

test('the timeline tells the life of the domain, newest first', async () => {
  const { status, body } = await client.get(at('/events'))
  assert.equal(status, 200)
  const types: string[] = body.events.map(({ type }: Json) => type)
  assert.equal(types.at(-1), 'domain.created')
  assert.ok(types.indexOf('domain.active') < types.indexOf('domain.delegated'))
  for (const event of body.events) {
    assert.deepEqual(Object.keys(event), [
      'event_id',
      'type',
      'at',
      'domain_id',
      'stage',
      'message',
      'data',
    ])
    assert.match(event.at, /Z$/)
  }
})

test('the timeline is read on by its cursor, each event once', async () => {
  const whole = (await client.get(at('/events?limit=100'))).body.events.map(
    ({ event_id }: Json) => event_id,
  )
  const seen: string[] = []
  let path = at('/events?limit=3')
  for (let page = 0; page < 50; page++) {
    const { body } = await client.get(path)
    seen.push(...body.events.map(({ event_id }: Json) => event_id))
    if (body.next_cursor === null) break
    path = at(`/events?limit=3&cursor=${body.next_cursor}`)
  }
  assert.deepEqual(seen, whole)
})

test('the zone is a master file that names every record', async () => {
  const response = await fetch(`${client.base}/api/public/v1${at('/zone')}`, {
    headers: { 'x-api-key': client.key! },
  })
  assert.equal(response.headers.get('content-type'), 'text/dns; charset=utf-8')
  const lines = (await response.text()).split('\n')
  const [first] = acme.nameservers
  assert.match(
    lines[0]!,
    new RegExp(`^acme\\.test\\.\t60\tIN\tSOA\t${first}\\. hostmaster\\.acme\\.test\\. \\d+ `),
  )
  for (const nameserver of acme.nameservers) {
    assert.ok(lines.includes(`acme.test.\t3600\tIN\tNS\t${nameserver}.`))
  }
  assert.ok(lines.includes('acme.test.\t300\tIN\tMX\t10 mx.mailstead.test.'))
  assert.ok(lines.some((line) => /^_dmarc\.acme\.test\.\t300\tIN\tTXT\t"v=DMARC1;/.test(line)))
  const key = lines.find((line) => line.includes('._domainkey.'))!
  assert.equal(key.split('\t')[4]!.match(/"/g)!.length, 4, 'a long TXT is written as two strings')
})

test('a check looks again, now, and answers the whole domain', async () => {
  const before = (await client.get(at(''))).body
  const { status, body } = await client.post(at('/check'))
  assert.equal(status, 200)
  assert.equal(body.status, 'ACTIVE')
  const lookOf = (domain: Json) => Date.parse(domain.conditions[1].checked_at)
  assert.ok(lookOf(body) > lookOf(before))
})

test('a check asks all servers of the parent, and tells when the records were last looked for', async () => {
  const { body: first } = await client.post(at('/check'))
  const { body } = await client.post(at('/check'))
  assert.deepEqual(
    body.delegation.servers.map(({ name }: Json) => name),
    ['a.parent.test', 'b.parent.test'],
  )
  const checkedAt = ({ dns_records }: Json) => dns_records.map((each: Json) => each.checked_at)
  for (const [index, at] of checkedAt(body).entries()) assert.ok(at > checkedAt(first)[index])
})

test('a check does not start what waits for a word', async () => {
  const { body } = await client.post('/domains', { domain: 'patient.test', auto_activate: false })
  await client.delegate('patient.test', body.nameservers)
  for (let turn = 0; turn < 3; turn++) await client.post(`/domains/${body.domain_id}/check`)
  const seen = (await client.get(`/domains/${body.domain_id}`)).body
  assert.equal(seen.status, 'DNS_PENDING')
})

test('retry is another name for activate', async () => {
  const { body } = await client.post(at('/retry'))
  assert.equal(body.message, 'The domain is active.')
})

/** The events of a stream, read until it ends. */
async function streamOf(id: string): Promise<Json[]> {
  const response = await openStream(id)
  assert.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  assert.ok(response.headers.get('x-request-id'))
  const text = await response.text()
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('event: progress\n'))
    .map((block) => JSON.parse(block.slice(block.indexOf('data: ') + 6)))
}

test('progress as a stream tells each change, and ends when the domain is active', async () => {
  const { body } = await client.post('/domains', { domain: 'stream.test' })
  const streaming = streamOf(body.domain_id)
  await client.delegate('stream.test', body.nameservers)
  const told = await streaming
  assert.ok(told.length >= 2)
  assert.equal(told[0].status, 'IN_PROGRESS')
  assert.deepEqual([told.at(-1).status, told.at(-1).progress_percentage], ['COMPLETED', 100])
  const percentages: number[] = told.map(({ progress_percentage }) => progress_percentage)
  assert.deepEqual(
    percentages,
    percentages.toSorted((a, b) => a - b),
  )
})

test('a stream of a domain that is ready is one event long', async () => {
  assert.equal((await streamOf(acme.domain_id)).length, 1)
})

const openStream = (domainId: string, key = client.key!): Promise<Response> =>
  fetch(`${client.base}/api/public/v1/domains/${domainId}/progress`, {
    headers: { 'x-api-key': key, accept: 'text/event-stream' },
    signal: AbortSignal.timeout(30_000),
  })

test('a key has fifty streams at most, and room again once one is closed', async () => {
  const { body } = await client.post('/domains', { domain: 'many.test' })
  const streams = await Promise.all(Array.from({ length: 50 }, () => openStream(body.domain_id)))
  assert.ok(streams.every(({ status }) => status === 200))
  const refused = await openStream(body.domain_id)
  const { status, headers } = refused
  refuses({ status, headers, body: await refused.json() }, 429, 'too_many_streams')
  const feed = await fetch(`${client.base}/api/public/v1/events`, {
    headers: { 'x-api-key': client.key!, accept: 'text/event-stream' },
  })
  assert.equal(feed.status, 429, 'the limit is one for all streams')
  await feed.body!.cancel()
  assert.ok(Number(headers.get('retry-after')) > 0)
  assert.equal((await client.get(at('/progress'))).status, 200, 'without a stream it may ask on')
  const other = await house.clientOf({})
  const theirs = await openStream(body.domain_id, other.key)
  assert.equal(theirs.status, 200)
  await streams.pop()!.body!.cancel()
  const again = await until(
    () => openStream(body.domain_id),
    ({ status }) => status === 200,
  )
  for (const stream of [...streams, theirs, again]) await stream.body!.cancel()
})

test('the stream of a key that is revoked ends', async () => {
  const { body: added } = await client.post('/domains', { domain: 'watched.test' })
  const { body: made } = await client.post('/keys', { name: 'a watcher', scopes: ['domains:read'] })
  const stream = await openStream(added.domain_id, made.key)
  assert.equal(stream.status, 200)
  await client.delete(`/keys/${made.key_id}`)
  assert.match(await stream.text(), /^event: progress\n/)
})

test('an open stream does not hold up a stop', async () => {
  const other = await testHouse()
  const { body } = await other.client.post('/domains', { domain: 'open.test' })
  const response = await fetch(
    `${other.client.base}/api/public/v1/domains/${body.domain_id}/progress`,
    {
      headers: { 'x-api-key': other.client.key!, accept: 'text/event-stream' },
    },
  )
  const began = performance.now()
  await other[Symbol.asyncDispose]()
  assert.ok(performance.now() - began < 8000)
  await response.body?.cancel().catch(() => undefined)
})

test('lists are read on by their cursor, each domain once, while others are added', async () => {
  const workspace = anotherWorkspace()
  const theirs = await house.clientOf({ workspace })
  const names = Array.from({ length: 7 }, (_, index) => `listed${index}.test`)
  for (const domain of names) await theirs.post('/domains', { domain })
  const seen: string[] = []
  let path = '/domains?limit=2'
  for (let page = 0; page < 20; page++) {
    const { body } = await theirs.get(path)
    seen.push(...body.domains.map(({ domain_name }: Json) => domain_name))
    assert.equal(body.pagination.total_is_estimate, false)
    if (page === 0) await theirs.post('/domains', { domain: 'late.test' })
    assert.equal(body.pagination.has_next, body.pagination.next_cursor !== null)
    if (body.pagination.next_cursor === null) break
    path = `/domains?limit=2&cursor=${body.pagination.next_cursor}`
  }
  assert.deepEqual(seen, names.toReversed())
})

// biome-ignore format: a table
const REFUSED: [path: string, status: number][] = [
  ['/events?limit=0',       422],
  ['/events?limit=101',     422],
  ['/events?cursor=last',   422],
]
for (const [path, status] of REFUSED) {
  test(`refused: ${path}`, async () => {
    assert.equal((await client.get(at(path))).status, status)
  })
}

test('a cursor of somebody else’s leads nowhere', async () => {
  const theirs = await house.clientOf({ workspace: anotherWorkspace() })
  await theirs.post('/domains', { domain: 'mine.test' })
  const { status, body } = await theirs.get(`/domains?cursor=${acme.domain_id}`)
  assert.deepEqual([status, body.domains], [200, []])
})

test('of a search, signs that mean something in a pattern mean themselves', async () => {
  for (const search of ['%25', '_', 'acme%25', '%5C']) {
    assert.deepEqual((await client.get(`/domains?search=${search}`)).body.domains, [])
  }
  await until(
    async () => (await client.get('/domains?search=ACM')).body.domains.length,
    (count) => count === 1,
  )
})
