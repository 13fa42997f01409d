/** Conversations are found by the words of their messages. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { sql } from 'kysely'
import type { Client, Json } from '../client.ts'
import { until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { sendMail } from '../smtp.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const stranger = await house.clientOf({ workspace: anotherWorkspace() })

async function inboxOf(owner: Client, domain: string): Promise<Json> {
  const { domain_id } = await owner.addActive(domain)
  const wanted = { domain_id, email_prefix: 'kim', display_name: 'Kim' }
  return (await owner.post('/sender-accounts/coldsend-native', wanted)).body
}
const receive = async (to: string, subject: string, text: string, from = 'ann@far.test') => {
  const fields = `From: ${from}\r\nSubject: ${subject}\r\nContent-Type: text/plain; charset=utf-8\r\n`
  assert.equal(await sendMail(house.smtp, [to], Buffer.from(`${fields}\r\n${text}\r\n`)), 250)
}
async function found(query: string, by = client): Promise<Json> {
  const { status, body } = await by.get(`/replies?${query}`)
  assert.equal(status, 200, JSON.stringify(body))
  return body
}
const subjects = (body: Json): string[] => body.conversations.map((each: Json) => each.subject)
const searching = (text: string) => `search=${encodeURIComponent(text)}`

let inbox: Json
before(async () => {
  inbox = await inboxOf(client, 'acme.test')
  await inboxOf(stranger, 'other.test')
  await receive(
    'kim@acme.test',
    'Invoice 4711',
    'Please pay by Friday.\r\n\r\nGrüße, Zoë',
    'joe.doe@shop.test',
  )
  await receive('kim@acme.test', 'Meeting', 'Shall we meet on Friday?')
  await receive('kim@acme.test', 'Long', `${'filler '.repeat(200)} needle`)
  await receive('kim@other.test', 'Invoice secret', 'Please pay by Friday.')
})

// biome-ignore format: a table
const SEARCHES: readonly [text: string, subjects: readonly string[]][] = [
  ['invoice',              ['Invoice 4711']],
  ['INVOICE 4711',         ['Invoice 4711']],
  ['friday',               ['Meeting', 'Invoice 4711']],
  ['friday pay',           ['Invoice 4711']],
  ['friday, needle',       []],
  ['joe.doe@shop.test',    ['Invoice 4711']],
  ['shop.test',            ['Invoice 4711']],
  ['grüße zoe\u0308',      ['Invoice 4711']],
  ['needle',               ['Long']],
  ['needl',                []],
  ['secret',               []],
  ['',                     ['Long', 'Meeting', 'Invoice 4711']],
  ['  ',                   ['Long', 'Meeting', 'Invoice 4711']],
  ['---',                  []],
  ["' | 'invoice",         ['Invoice 4711']],
  ["invoice' | 'needle",   []],
  ['!invoice',             ['Invoice 4711']],
  ['invo:*',               []],
  ['meet <-> friday',      ['Meeting']],
  ['@',                    []],
]
for (const [text, expected] of SEARCHES)
  test(`a search for ${JSON.stringify(text)} finds ${expected.join(', ') || 'nothing'}`, async () => {
    const body = await found(searching(text))
    assert.deepEqual(subjects(body), expected)
    assert.equal(body.total_count, expected.length)
  })

test('a search counts with the other filters', async () => {
  const { body } = await client.get(`/replies?search=friday&inbox_id=${inbox.inbox_id}&limit=1`)
  assert.deepEqual([body.total_count, body.unread_count, body.has_next], [2, 2, true])
  assert.equal((await found('search=friday&is_read=true')).total_count, 0)
})

test('another workspace finds only its own, and none by the name of another', async () => {
  assert.deepEqual(subjects(await found('search=invoice', stranger)), ['Invoice secret'])
  const { workspace_id } = (await client.get('/workspace')).body
  for (const text of [`@${workspace_id}sandbox`, String(workspace_id)])
    assert.deepEqual(subjects(await found(searching(text), stranger)), [])
})

test('an answer is found by its words', async () => {
  const [{ thread_id }] = (await found('search=meet')).conversations
  const sent = await client.post(`/replies/threads/${thread_id}/reply`, {
    body: 'Certainly, at dawn.',
  })
  assert.equal(sent.status, 200)
  assert.deepEqual(subjects(await found('search=dawn')), ['Meeting'])
})

// biome-ignore format: a table
const ODD: readonly [what: string, text: string][] = [
  ['a word of a megabyte',    'x'.repeat(2 ** 20).replace(/.{900}/g, '$&\r\n')],
  ['thousands of words',      Array.from({ length: 9000 }, (_, n) => `${n}w`).join('\r\n')],
  ['long words of any script', `${'𐍈'.repeat(200)} `.repeat(70)],
  ['quotes and null',         "' \\ '' \0 \" $1 {}"],
]
for (const [what, text] of ODD)
  test(`a message of ${what} is kept and found`, async () => {
    const subject = `Odd ${what}`
    await receive('kim@acme.test', subject, text)
    assert.deepEqual(subjects(await found(searching(subject))), [subject])
  })

test('words that are too long or too many are no error', async () => {
  assert.deepEqual(subjects(await found(searching('y'.repeat(255)))), [])
  assert.deepEqual(subjects(await found(searching('qq '.repeat(85)))), [])
})

test('a word in very many messages is found in the latest conversations, soon', async () => {
  await sql`
    with threads as (
      insert into threads (id, workspace_id, world, inbox_id, lead_email, subject, thread_key, last_message_preview, last_message_at)
      select gen_random_uuid(), i.workspace_id, i.world, i.id, 'a@b.test', 'Many ' || n, 'k' || n, '', now() - n * interval '1 s'
        from inboxes i, generate_series(1, 20000) n where i.id = ${inbox.inbox_id} returning *
    ), content as (
      insert into message_contents (id, encoding, octets, content)
      select gen_random_uuid(), 'identity', 1, 'x' returning id)
    insert into messages (id, claim_id, thread_id, localpart, envelope_sender, recipient, author, subject, preview, content_id, trace, authentication, words)
    select gen_random_uuid(), null, t.id, 'kim', '', '', '', t.subject, '', content.id, '', '{}', array_to_tsvector(array['many', '@' || workspace_id || world])
      from threads t, content`.execute(store.db)
  await sql`analyze messages`.execute(store.db)
  const began = performance.now()
  const body = await until(
    () => found('search=many&limit=3'),
    ({ total_count }) => total_count > 0,
  )
  assert.ok(performance.now() - began < 2000)
  assert.deepEqual(subjects(body), ['Many 1', 'Many 2', 'Many 3'])
  assert.ok(body.total_count > 1900 && body.total_count <= 2000, body.total_count)
  assert.deepEqual(subjects(await found('search=many&is_starred=true')), [])
})
