/** Who wants no mail gets none: the lists, what enters them by itself, and what they stop. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { recipientHash } from '#store/suppressions.ts'
import { type Client, type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { refuses, UNKNOWN_ID } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const stranger = await house.clientOf({ workspace: anotherWorkspace() })

async function inboxAt(by: Client, domain: string): Promise<string> {
  const { domain_id } = await by.addActive(domain)
  const fields = { domain_id, email_prefix: 'kim', display_name: 'Kim' }
  return (await by.post('/sender-accounts/coldsend-native', fields)).body.inbox_id
}
const inbox = await inboxAt(client, 'acme.test')
const theirInbox = await inboxAt(stranger, 'other.test')

const send = (recipient_email: string, by = client, from = inbox) =>
  by.post(`/sender-accounts/${from}/test-email`, { recipient_email })
const suppress = (email_address: string, more: object = {}, by = client) =>
  by.post('/suppressions', { email_address, ...more })
const entries = async (query = '', by = client): Promise<Json[]> =>
  (await by.get(`/suppressions${query}`)).body.suppressions
const entryOf = (address: string) =>
  until(
    async () => (await entries(`?search=${encodeURIComponent(address)}`))[0],
    (entry) => entry !== undefined,
  )

test('an address on the list gets no mail, however it is written', async () => {
  const { status, body } = await suppress('Ann.Lee@Inbox.test')
  assert.deepEqual([status, body.reason, body.origin], [201, 'manual', 'api'])
  for (const written of ['ann.lee@inbox.test', 'ANN.LEE@inbox.test', 'Ann.Lee@INBOX.TEST'])
    refuses(await send(written), 409, 'recipient_suppressed')
  assert.equal((await send('ann.lee2@inbox.test')).status, 200)
})

test('an address is on the list once, and is shown as it is when it is added again', async () => {
  const first = await suppress('twice@inbox.test')
  const second = await suppress('TWICE@inbox.test', { reason: 'unsubscribed' })
  assert.deepEqual([first.status, second.status], [201, 200])
  assert.equal(second.body.suppression_id, first.body.suppression_id)
  assert.equal(second.body.reason, 'manual')
})

test('twenty who add one address at once add it once', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => suppress('race@inbox.test')))
  assert.equal(answers.filter(({ status }) => status === 201).length, 1)
  assert.equal(new Set(answers.map(({ body }) => body.suppression_id)).size, 1)
})

test('the list of a workspace is its own, and stops only its own mail', async () => {
  const { body } = await suppress('mine@inbox.test')
  assert.equal((await send('mine@inbox.test', stranger, theirInbox)).status, 200)
  assert.deepEqual(await entries('?search=mine', stranger), [])
  refuses(
    await stranger.delete(`/suppressions/${body.suppression_id}`),
    404,
    'suppression_not_found',
  )
})

test('the list of the installation stops the mail of every workspace, and is for its own keys', async () => {
  await suppress('nobody@inbox.test', { list: 'installation' })
  refuses(await send('nobody@inbox.test'), 409, 'recipient_suppressed')
  refuses(await send('nobody@inbox.test', stranger, theirInbox), 409, 'recipient_suppressed')
  assert.deepEqual(await entries('?search=nobody'), [])
  assert.equal((await entries('?list=installation')).length, 1)
  for (const answer of [
    await suppress('x@inbox.test', { list: 'installation' }, stranger),
    await stranger.get('/suppressions?list=installation'),
    await stranger.get('/suppressions/export?list=installation'),
  ])
    refuses(answer, 403, 'installation_key_required')
})

test('what a sender put on the list can be taken off it', async () => {
  const { body } = await suppress('back@inbox.test')
  assert.equal((await client.delete(`/suppressions/${body.suppression_id}`)).status, 200)
  assert.equal((await send('back@inbox.test')).status, 200)
  refuses(await client.delete(`/suppressions/${body.suppression_id}`), 404, 'suppression_not_found')
  refuses(await client.delete(`/suppressions/${UNKNOWN_ID}`), 404, 'suppression_not_found')
})

test('what a recipient asked for stays', async () => {
  const { body } = await suppress('left@inbox.test', { reason: 'unsubscribed' })
  const refused = await client.delete(`/suppressions/${body.suppression_id}`)
  refuses(refused, 409, 'suppression_of_recipient')
  refuses(await send('left@inbox.test'), 409, 'recipient_suppressed')
})

test('an address where nobody is enters the list by itself', async () => {
  assert.equal((await send('gone@bounces.test')).status, 200)
  const entry = await entryOf('gone@bounces.test')
  assert.deepEqual([entry.reason, entry.origin], ['bounced', 'message'])
  assert.match(entry.detail, /5\.1\.1/)
  refuses(await send('gone@bounces.test'), 409, 'recipient_suppressed')
  const events = await store.db
    .selectFrom('events')
    .select('data')
    .where('type', '=', 'suppression.added')
    .execute()
  assert.ok(events.some(({ data }) => data.address === 'gone@bounces.test'))
})

test('what was queued before ends, and does not leave', async () => {
  await send('slow@defers.test')
  const queued = () =>
    store.db
      .selectFrom('outgoing_messages')
      .select(['id', 'state', 'last_reply'])
      .where('recipient', '=', 'slow@defers.test')
      .executeTakeFirstOrThrow()
  const { id } = await until(queued, ({ state }) => state === 'deferred')
  await suppress('slow@defers.test')
  await store.db
    .updateTable('outgoing_messages')
    .set({ next_at: new Date() })
    .where('id', '=', id)
    .execute()
  const { last_reply } = await until(queued, ({ state }) => state === 'failed')
  assert.match(last_reply, /gets no mail/)
})

test('many are imported at once; what is no address is named, and harms nobody beside it', async () => {
  const email_addresses = [
    'a1@import.test',
    ' a2@import.test ',
    'A1@import.test',
    'no address',
    '',
    'a3@import.test',
    '"=cmd"@import.test, x',
  ]
  const { status, body } = await client.post('/suppressions/import', { email_addresses })
  assert.equal(status, 200)
  assert.deepEqual(
    [body.total, body.added_count, body.known_count, body.invalid_count],
    [7, 3, 1, 3],
  )
  assert.deepEqual(
    body.invalid.map(({ row }: Json) => row),
    [3, 4, 6],
  )
  refuses(await send('a2@import.test'), 409, 'recipient_suppressed')
})

test('ten thousand are imported in one request, and read in pages', async () => {
  const email_addresses = Array.from({ length: 10_000 }, (_, index) => `n${index}@many.test`)
  const { body } = await client.post('/suppressions/import', { email_addresses })
  assert.equal(body.added_count, 10_000)
  const seen = new Set<string>()
  let cursor = ''
  for (let page = 0; page < 3; page++) {
    const { body } = await client.get(`/suppressions?search=many.test&limit=100${cursor}`)
    for (const { email_address } of body.suppressions) seen.add(email_address)
    cursor = `&cursor=${body.next_cursor}`
  }
  assert.equal(seen.size, 300)
  const more = await client.post('/suppressions/import', {
    email_addresses: [...email_addresses, 'one@more.test'],
  })
  assert.equal(more.status, 422)
})

test('the export names every address, and no spreadsheet takes one for a formula', async () => {
  await suppress('=sum@inbox.test')
  await suppress('+plus@inbox.test')
  const response = await fetch(`${client.base}/api/public/v1/suppressions/export`, {
    headers: { 'x-api-key': client.key! },
  })
  assert.equal(response.headers.get('content-type'), 'text/csv; charset=utf-8')
  const lines = (await response.text()).trimEnd().split('\r\n')
  assert.equal(lines[0], 'email_address,reason,origin,created_at')
  const { rows } = await store.db
    .selectFrom('suppressions')
    .select((e) => e.fn.countAll<string>().as('count'))
    .where('workspace_id', 'is not', null)
    .executeTakeFirstOrThrow()
    .then(({ count }) => ({ rows: Number(count) }))
  assert.equal(lines.length - 1, rows)
  assert.ok(lines.some((line) => line.startsWith(`"'=sum@inbox.test",manual,api,`)))
  assert.ok(lines.every((line) => !/^"?[=+@-]/.test(line)))
})

test('an entry goes on working when its address is erased', async () => {
  const { body } = await suppress('erased@inbox.test')
  await store.db
    .updateTable('suppressions')
    .set({ address: null })
    .where('id', '=', body.suppression_id)
    .execute()
  refuses(await send('erased@inbox.test'), 409, 'recipient_suppressed')
  const { suppressions } = (await client.get('/suppressions?limit=1')).body
  assert.equal(suppressions[0].email_address, null)
})

test('addresses are found by their hash whatever their case, and others are not', () => {
  const name = fc.stringMatching(/^[a-z0-9.+_-]{1,20}$/)
  fc.assert(
    fc.property(name, name, (one, other) => {
      const [a, b] = [`${one}@acme.test`, `${other}@acme.test`]
      const hash = (address: string) => recipientHash(store.vault, address).toString('hex')
      assert.equal(hash(a), hash(a.toUpperCase()))
      assert.equal(hash(a) === hash(b), a === b)
    }),
  )
  const idn = (address: string) => recipientHash(store.vault, address).toString('hex')
  assert.equal(idn('ann@bücher.test'), idn('ann@xn--bcher-kva.test'))
})
