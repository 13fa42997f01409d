/** Answers with HTML and files. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import PostalMime from 'postal-mime'
import { type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { longestAnswerDuring } from '../others.ts'
import { refuses, violates } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const { domain_id } = await client.addActive('acme.test')
await client.post('/sender-accounts/coldsend-native', {
  domain_id,
  email_prefix: 'kim',
  display_name: 'Kim Lee',
})
await client.sandbox('POST', '/mail', {
  from: 'ann@inbox.test',
  to: 'kim@acme.test',
  subject: 'Question',
  text: 'When?',
})
const [{ thread_id }] = await until<Json[]>(
  async () => (await client.get('/replies')).body.conversations,
  (all) => all.length > 0,
)
const path = `/replies/threads/${thread_id}`
const answer = (body: unknown) => client.post(`${path}/reply`, body)
const messages = async (): Promise<Json[]> => (await client.get(`${path}/messages`)).body.messages

/** The answer as it arrived. */
async function arrived(body: unknown) {
  const sent = await answer(body)
  assert.equal(sent.status, 200, JSON.stringify(sent.body))
  const row = await until(
    () =>
      store.db
        .selectFrom('sandbox_messages')
        .selectAll()
        .orderBy('received_at', 'desc')
        .limit(1)
        .executeTakeFirst(),
    (found) => found?.raw.includes(sent.body.message_id) ?? false,
  )
  return { raw: row!.raw.toString('latin1'), mail: await PostalMime.parse(row!.raw) }
}

const file = (more: object = {}) => ({
  filename: 'offer.txt',
  content_type: 'text/plain',
  content: 'SGVsbG8=',
  ...more,
})

test('an answer as HTML is sent as it is, with its text for programs that show none', async () => {
  const { raw, mail } = await arrived({ html_body: '<p>At <b>noon</b>.</p>' })
  assert.match(raw, /^Content-Type: multipart\/alternative/im)
  assert.deepEqual([mail.html?.trim(), mail.text?.trim()], ['<p>At <b>noon</b>.</p>', 'At noon.'])
  assert.equal((await messages()).at(-1)!.text, 'At noon.')
  const { body } = await client.get(path)
  assert.equal(body.last_message_preview, 'At noon.')
})

test('a text of its own goes beside the HTML', async () => {
  const { mail } = await arrived({ body: 'noon', html_body: '<p>At noon.</p>' })
  assert.deepEqual([mail.html?.trim(), mail.text?.trim()], ['<p>At noon.</p>', 'noon'])
})

test('files arrive as they were given, and stand in the conversation', async () => {
  const octets = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet))
  const { raw, mail } = await arrived({
    body: 'See there.',
    html_body: '<p>See there.</p>',
    attachments: [
      file(),
      file({
        filename: 'Grüße "金"; x=y.bin',
        content_type: null,
        content: octets.toString('base64'),
      }),
      file({ filename: 'empty', content_type: 'application/x-empty', content: '' }),
    ].map(({ content_type, ...rest }) =>
      content_type === null ? rest : { ...rest, content_type },
    ),
  })
  assert.match(raw, /multipart\/mixed[\s\S]*multipart\/alternative/)
  assert.deepEqual(
    mail.attachments.map((each) => [
      each.filename,
      each.mimeType,
      Buffer.from(each.content as ArrayBuffer).toString('base64'),
    ]),
    [
      ['offer.txt', 'text/plain', 'SGVsbG8='],
      ['Grüße "金"; x=y.bin', 'application/octet-stream', octets.toString('base64')],
      ['empty', 'application/x-empty', ''],
    ],
  )
  assert.equal(mail.text?.trim(), 'See there.')
  const { attachments } = (await messages()).at(-1)!
  assert.deepEqual(
    attachments.map((each: Json) => each.octets),
    [5, 256, 0],
  )
})

test('ten megabytes are taken, and others are answered meanwhile', async () => {
  const content = Buffer.alloc(2 * 2 ** 20, 'Mailstead').toString('base64')
  const attachments = Array.from({ length: 5 }, () => file({ content }))
  const { result, longest } = await longestAnswerDuring(client.base, () =>
    answer({ body: 'x', attachments }),
  )
  assert.equal(result.status, 200)
  assert.ok(longest < 2000, `${longest} ms`)
  const kept = await until(messages, (all) => all.at(-1)?.state === 'sent')
  assert.equal(kept.at(-1)!.attachment_count, 5)
})

test('more is refused, and nothing is sent', async () => {
  const before = (await messages()).length
  const content = Buffer.alloc(6 * 2 ** 20).toString('base64')
  refuses(
    await answer({ body: 'x', attachments: [file({ content }), file({ content })] }),
    413,
    'attachments_too_large',
  )
  refuses(
    await answer({ body: 'x', attachments: [file({ content: 'A'.repeat(21 * 2 ** 20) })] }),
    413,
    'body_too_large',
  )
  refuses(
    await answer({ body: 'x', more: Array.from({ length: 600_000 }, () => 0) }),
    413,
    'body_too_large',
  )
  assert.equal((await messages()).length, before)
})

test('elsewhere a body may have one mebibyte, as before', async () => {
  const body = { subject: 'x'.repeat(1024 * 1024) }
  refuses(await client.post('/domains', body), 413, 'body_too_large')
})

const ATTACHMENT = ['body', 'attachments', 0]
const REGEX = 'value_error.str.regex'

// biome-ignore format: a table
const REFUSED: readonly [what: string, body: unknown, loc: (string | number)[], type: string][] = [
  ['neither text nor HTML',          { attachments: [file()] },                             ['body', 'body'],                 'value_error.missing'],
  ['both null',                      { body: null, html_body: null },                       ['body', 'body'],                 'value_error.missing'],
  ['empty HTML',                     { html_body: '' },                                     ['body', 'html_body'],            'value_error.any_str.min_length'],
  ['a null character in HTML',       { html_body: 'a\0b' },                                 ['body', 'html_body'],            REGEX],
  ['half a character in HTML',       { html_body: 'a\ud800' },                              ['body', 'html_body'],            REGEX],
  ['too much HTML',                  { html_body: 'a'.repeat(500_001) },                    ['body', 'html_body'],            'value_error.any_str.max_length'],
  ['six files',                      { body: 'x', attachments: Array.from({ length: 6 }, () => file()) }, ['body', 'attachments'], 'value_error.list.max_items'],
  ['a file without content',         { body: 'x', attachments: [{ filename: 'a' }] },       [...ATTACHMENT, 'content'],       'value_error.missing'],
  ['a file without a name',          { body: 'x', attachments: [file({ filename: '' })] },  [...ATTACHMENT, 'filename'],      'value_error.any_str.min_length'],
  ['line ends in a name',            { body: 'x', attachments: [file({ filename: 'a\r\nBcc: x@y.test' })] }, [...ATTACHMENT, 'filename'], REGEX],
  ['a null character in a name',     { body: 'x', attachments: [file({ filename: 'a\0' })] }, [...ATTACHMENT, 'filename'],    REGEX],
  ['folders in a name',              { body: 'x', attachments: [file({ filename: '../a' })] }, [...ATTACHMENT, 'filename'],   REGEX],
  ['line ends in a type',            { body: 'x', attachments: [file({ content_type: 'text/plain\r\nX: y' })] }, [...ATTACHMENT, 'content_type'], REGEX],
  ['a final line end in a type',     { body: 'x', attachments: [file({ content_type: 'text/plain\n' })] }, [...ATTACHMENT, 'content_type'], REGEX],
  ['parameters of a type',           { body: 'x', attachments: [file({ content_type: 'text/plain; x=y' })] }, [...ATTACHMENT, 'content_type'], REGEX],
  ['parts in a file',                { body: 'x', attachments: [file({ content_type: 'multipart/mixed' })] }, [...ATTACHMENT, 'content_type'], REGEX],
  ['what is no base64',              { body: 'x', attachments: [file({ content: 'SGVs bG8=' })] }, [...ATTACHMENT, 'content'], 'value_error.str.base64'],
  ['base64 without its padding',     { body: 'x', attachments: [file({ content: 'SGVsbG8' })] }, [...ATTACHMENT, 'content'],   'value_error.str.base64'],
  ['base64 for URLs',                { body: 'x', attachments: [file({ content: '_-__' })] }, [...ATTACHMENT, 'content'],     'value_error.str.base64'],
]
for (const [what, body, loc, type] of REFUSED)
  test(`an answer with ${what} is refused`, async () => {
    violates(await answer(body), loc, type)
  })

test('an answer under an Idempotency-Key is sent once, with its files', async () => {
  const before = (await messages()).length
  const body = { body: 'once', attachments: [file()] }
  const post = () =>
    client.request('POST', `/api/public/v1${path}/reply`, body, { 'idempotency-key': 'once' })
  const [first, second] = [await post(), await post()]
  assert.deepEqual(first.body, second.body)
  assert.equal((await messages()).length, before + 1)
})
