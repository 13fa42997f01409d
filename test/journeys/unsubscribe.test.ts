/** A recipient unsubscribes with one click, at any later time; no other request does it. */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { sql } from 'kysely'
import { recipientHash } from '#store/suppressions.ts'
import { unsubscribeUrl } from '#store/unsubscriptions.ts'
import { openVault } from '#store/vault.ts'
import { type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'

const PUBLIC_URL = 'https://mail.example'
const house = await testHouse({ MAILSTEAD_PUBLIC_URL: PUBLIC_URL })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

let inbox: string
before(async () => {
  const { domain_id } = await client.addActive('acme.test')
  const wish = { domain_id, email_prefix: 'kim', display_name: 'Kim' }
  inbox = (await client.post('/sender-accounts/coldsend-native', wish)).body.inbox_id
})

const send = (recipient_email: string, unsubscribe_link?: boolean) =>
  client.post(`/sender-accounts/${inbox}/test-email`, { recipient_email, unsubscribe_link })

/** The message that arrived at the address, and the path of its link. */
async function withLink(address: string): Promise<{ message: Json; path: string }> {
  assert.equal((await send(address, true)).status, 200)
  const { messages } = await until(
    async () => (await client.sandbox('GET', `/mail?to=${address}`)).body,
    (body) => body.messages.length > 0,
  )
  const [message] = messages
  const [, path] = /^<https:\/\/mail\.example(\/u\/[\w-]{110})>$/.exec(
    message.headers['list-unsubscribe'],
  )!
  return { message, path: path! }
}

type Sent = { method?: string; body?: string | Buffer; type?: string; host?: string }

/** As a proxy passes it on: by the public name, without a key. */
function ask(path: string, { method = 'GET', body, type, host = 'mail.example' }: Sent = {}) {
  const { hostname, port } = new URL(client.base)
  const headers = { host, ...(type === undefined ? {} : { 'content-type': type }) }
  return new Promise<{ status: number; headers: Json; text: string }>((resolve, reject) => {
    const outgoing = request({ hostname, port, path, method, headers }, async (answer) => {
      const text = Buffer.concat(await answer.toArray()).toString()
      resolve({ status: answer.statusCode!, headers: answer.headers, text })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}
const FORM = 'application/x-www-form-urlencoded'
const oneClick = (path: string) =>
  ask(path, { method: 'POST', type: FORM, body: 'List-Unsubscribe=One-Click' })
const entryOf = async (address: string): Promise<Json> =>
  (await client.get(`/suppressions?search=${encodeURIComponent(address)}`)).body.suppressions[0]

test('a message has the two fields when they are asked for, and passes DKIM with both covered', async () => {
  const { message } = await withLink('covered@inbox.test')
  assert.equal(message.headers['list-unsubscribe-post'], 'List-Unsubscribe=One-Click')
  assert.equal(message.authentication.dkim, 'pass')
  const covered = /;h=([^;]+);/.exec(message.headers['dkim-signature'].replace(/\s/g, ''))![1]!
  assert.ok(covered.split(':').includes('list-unsubscribe'))
  assert.ok(covered.split(':').includes('list-unsubscribe-post'))
  await send('plain@inbox.test')
  const { messages } = await until(
    async () => (await client.sandbox('GET', '/mail?to=plain@inbox.test')).body,
    (body) => body.messages.length > 0,
  )
  assert.equal(messages[0].headers['list-unsubscribe'], undefined)
})

test('one click unsubscribes: the address is on the list, and the next message is refused', async () => {
  const { path } = await withLink('once@inbox.test')
  for (const times of [1, 2, 3]) {
    const { status, text } = await oneClick(path)
    assert.equal(status, 200, `${times}`)
    assert.match(text, /no more mail to o…@inbox\.test/)
  }
  const { reason, origin, email_address } = await entryOf('once@inbox.test')
  assert.deepEqual([reason, origin, email_address], ['unsubscribed', 'message', 'once@inbox.test'])
  const refused = await send('Once@inbox.test')
  assert.deepEqual([refused.status, refused.body.error], [409, 'recipient_suppressed'])
  const { suppression_id } = await entryOf('once@inbox.test')
  const removed = await client.delete(`/suppressions/${suppression_id}`)
  assert.equal(removed.body.error, 'suppression_of_recipient')
  const { events } = (await client.get('/events?limit=100&types=suppression.added')).body
  const told = events.filter(({ data }: Json) => data.address === 'once@inbox.test')
  assert.deepEqual(
    told.map(({ data }: Json) => data.reason),
    ['unsubscribed'],
  )
})

const MULTIPART =
  '--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
// biome-ignore format: a table
const POSTS: readonly [what: string, Sent][] = [
  ['as a form',                  { type: FORM, body: 'List-Unsubscribe=One-Click' }],
  ['as a form, with a charset',  { type: `${FORM}; charset=UTF-8`, body: 'List-Unsubscribe=One-Click' }],
  ['as multipart',               { type: 'multipart/form-data; boundary=x', body: MULTIPART }],
  ['without a type',             { body: 'List-Unsubscribe=One-Click' }],
  ['without a body',             {}],
  ['as a form without a body',   { type: FORM }],
  ['as text',                    { type: 'text/plain', body: 'List-Unsubscribe=One-Click' }],
  ['as JSON that is none',       { type: 'application/json', body: '{' }],
  ['as JSON without a body',     { type: 'application/json', body: '' }],
  ['as octets',                  { type: 'application/octet-stream', body: randomBytes(1000) }],
  ['with a type that is none',   { type: 'x', body: 'List-Unsubscribe=One-Click' }],
  ['multipart without boundary', { type: 'multipart/form-data', body: 'x' }],
]
for (const [n, [what, post]] of POSTS.entries())
  test(`a POST unsubscribes: ${what}`, async () => {
    const address = `post${n}@inbox.test`
    const { path } = await withLink(address)
    assert.equal((await ask(path, { method: 'POST', ...post })).status, 200)
    assert.equal((await entryOf(address)).reason, 'unsubscribed')
  })

test('the page asks, needs no script, is kept by nobody, and its form unsubscribes', async () => {
  const { path } = await withLink('page@inbox.test')
  const { status, headers, text } = await ask(path)
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'text/html; charset=utf-8')
  assert.equal(headers['cache-control'], 'no-store')
  assert.equal(headers['referrer-policy'], 'no-referrer')
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.match(
    headers['content-security-policy'],
    /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
  )
  assert.equal(headers['set-cookie'], undefined)
  assert.doesNotMatch(text, /<script|https?:|page@inbox/)
  assert.match(text, /p…@inbox\.test/)
  assert.equal(await entryOf('page@inbox.test'), undefined)
  const [, name, value] =
    /<form method="post"><input type="hidden" name="(.+?)" value="(.+?)">/.exec(text)!
  await ask(path, { method: 'POST', type: FORM, body: `${name}=${value}` })
  assert.equal((await entryOf('page@inbox.test')).reason, 'unsubscribed')
})

test('whatever only follows links unsubscribes nobody', async () => {
  const { path } = await withLink('scanned@inbox.test')
  const query = '?List-Unsubscribe=One-Click'
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'PROPFIND'])
    for (const each of [path, `${path}${query}`, `${path}/`]) await ask(each, { method })
  const head = await ask(path, { method: 'HEAD' })
  assert.deepEqual([head.status, head.text], [200, ''])
  assert.equal(await entryOf('scanned@inbox.test'), undefined)
  assert.equal((await send('scanned@inbox.test')).status, 200)
})

test('a token that is forged, cut or of another installation gets a plain page, and does nothing', async () => {
  const { path } = await withLink('forged@inbox.test')
  const of = { messageId: randomUUID(), recipient: 'forged@inbox.test' }
  const { rows } = await sql<{ id: string }>`select id from workspaces limit 1`.execute(store.db)
  const tenant = { workspaceId: rows[0]!.id, world: 'sandbox' as const }
  const foreign = unsubscribeUrl(openVault(randomBytes(32)), '', tenant, of)
  const last = path.at(-1) === 'A' ? 'B' : 'A'
  const paths = [
    foreign,
    path.slice(0, -1),
    `${path}A`,
    path.slice(0, -9) + last.repeat(9),
    '/u/x',
    '/u/%00',
    '/u/%2e%2e',
    `/u/${'A'.repeat(290)}`,
  ]
  for (const each of paths)
    for (const method of ['GET', 'POST']) {
      const { status, headers, text } = await ask(each, { method })
      assert.equal(status, 404, `${method} ${each}`)
      assert.equal(headers['content-type'], 'text/html; charset=utf-8', each)
      assert.doesNotMatch(text, /@/)
    }
  for (let n = 0; n < 1000; n++) {
    const random = `/u/${randomBytes(82).toString('base64url')}`
    assert.equal((await ask(random, { method: 'POST' })).status, 404)
  }
  assert.equal((await ask('/u/', { method: 'POST' })).status, 404)
  assert.equal((await ask(`/u/${'A'.repeat(4000)}`)).status, 414)
  assert.equal(await entryOf('forged@inbox.test'), undefined)
})

test('a huge body is refused, and the next click works', async () => {
  const { path } = await withLink('huge@inbox.test')
  const body = Buffer.alloc(17 * 1024, 'a')
  const { status } = await ask(path, { method: 'POST', type: FORM, body })
  assert.equal(status, 413)
  assert.equal(await entryOf('huge@inbox.test'), undefined)
  assert.equal((await oneClick(path)).status, 200)
  assert.equal((await entryOf('huge@inbox.test')).reason, 'unsubscribed')
})

test('a link works when its message is no longer stored, and shows no address then', async () => {
  const { path, message } = await withLink('old@inbox.test')
  await sql`delete from outgoing_messages where message_id = ${message.headers['message-id']}`.execute(
    store.db,
  )
  assert.match((await ask(path)).text, /from the sender of this message\?/)
  assert.equal((await oneClick(path)).status, 200)
  const refused = await send('old@inbox.test')
  assert.equal(refused.body.error, 'recipient_suppressed')
})

test('what the sender entered becomes the wish of the recipient; a complaint stays one', async () => {
  const [{ path: byHand }, { path: complained }] = [
    await withLink('hand@inbox.test'),
    await withLink('angry@inbox.test'),
  ]
  await client.post('/suppressions', { email_address: 'hand@inbox.test' })
  await client.post('/suppressions', { email_address: 'angry@inbox.test' })
  await sql`update suppressions set reason = 'complained'
    where hash = ${recipientHash(store.vault, 'angry@inbox.test')}`.execute(store.db)
  await oneClick(byHand)
  await oneClick(complained)
  assert.equal((await entryOf('hand@inbox.test')).reason, 'unsubscribed')
  assert.equal((await entryOf('angry@inbox.test')).reason, 'complained')
})

test('it is the workspace of the message that sends no more, and no other', async () => {
  const { path } = await withLink('both@inbox.test')
  await oneClick(path)
  const stranger = await house.clientOf({ workspace: anotherWorkspace() })
  assert.deepEqual((await stranger.get('/suppressions')).body.suppressions, [])
})

test('fifty clicks at once are one entry', async () => {
  const { path } = await withLink('race@inbox.test')
  const answers = await Promise.all(Array.from({ length: 50 }, () => oneClick(path)))
  assert.ok(answers.every(({ status }) => status === 200))
  const { suppressions } = (await client.get('/suppressions?search=race@inbox.test')).body
  assert.equal(suppressions.length, 1)
})

test('no line of the log has a token, and the page is only at the names of the API', async () => {
  const { path } = await withLink('logged@inbox.test')
  await ask(path)
  await oneClick(path)
  await ask(`${path}/`)
  await ask(`${path}/more`)
  await ask(`${path}?x`)
  await ask(path.replace('u', '%75'))
  await ask(path, { host: 'evil.example' })
  const token = path.slice('/u/'.length)
  assert.ok(house.logLines.some((line) => line.includes('/u/:token')))
  assert.ok(!house.logLines.some((line) => line.includes(token)))
  assert.equal((await ask(path, { host: 'evil.example', method: 'POST' })).status, 421)
})

test('requests of recipients are not limited, and a key is not looked at', async () => {
  const { path } = await withLink('often@inbox.test')
  for (let n = 0; n < 300; n++) assert.equal((await ask(path)).status, 200)
})
