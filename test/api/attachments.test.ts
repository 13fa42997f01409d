/** The attachments of a received message: how they are named, and how they are downloaded. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { longestAnswerDuring } from '../others.ts'
import { sendMail } from '../smtp.ts'
import { UNKNOWN_ID } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house
const stranger = await house.clientOf({ workspace: anotherWorkspace() })
const { domain_id } = await client.addActive('acme.test')
await client.post('/sender-accounts/coldsend-native', {
  domain_id,
  email_prefix: 'kim',
  display_name: 'Kim Lee',
})

let count = 0
/** The thread, and the one message in it. */
async function received(parts: readonly string[], more = ''): Promise<[id: string, Json]> {
  const subject = `Files ${++count}`
  const head = `From: eve@outside.test\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\n${more}`
  const type = 'Content-Type: multipart/mixed; boundary=b\r\n\r\n'
  const body = parts.map((part) => `--b\r\n${part}\r\n`).join('')
  assert.equal(await sendMail(house.smtp, ['kim@acme.test'], `${head}${type}${body}--b--\r\n`), 250)
  const thread = await until(
    async () =>
      (await client.get('/replies?limit=100')).body.conversations.find(
        (each: Json) => each.subject === subject,
      ),
    (found) => found !== undefined,
  )
  const { body: shown } = await client.get(`/replies/threads/${thread.thread_id}/messages`)
  return [thread.thread_id, shown.messages[0]]
}
const file = (fields: string, content = 'aGVsbG8=') =>
  `${fields}\r\nContent-Transfer-Encoding: base64\r\n\r\n${content}`
const pathOf = (thread: string, message: string, attachment: string) =>
  `/api/public/v1/replies/threads/${thread}/messages/${message}/attachments/${attachment}`
const download = (path: string, by = client) =>
  fetch(`${client.base}${path}`, { headers: { 'x-api-key': by.key! } })

test('an attachment is listed with what the message says of it, and downloaded as it was sent', async () => {
  const octets = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet))
  const [thread, message] = await received([
    'Content-Type: text/plain\r\n\r\nHello',
    file(
      'Content-Type: image/png; name=x.png\r\nContent-Disposition: inline; filename="a photo.png"\r\nContent-ID: <p1@x>',
      octets.toString('base64'),
    ),
    file('Content-Type: application/zip\r\nContent-Disposition: attachment; filename=all.zip'),
  ])
  assert.equal(message.text, 'Hello')
  assert.equal(message.attachment_count, 2)
  assert.deepEqual(message.attachments, [
    {
      attachment_id: '0',
      filename: 'a photo.png',
      content_type: 'image/png',
      octets: 256,
      disposition: 'inline',
      content_id: 'p1@x',
    },
    {
      attachment_id: '1',
      filename: 'all.zip',
      content_type: 'application/zip',
      octets: 5,
      disposition: 'attachment',
      content_id: null,
    },
  ])
  const photo = await download(pathOf(thread, message.message_id, '0'))
  assert.deepEqual(Buffer.from(await photo.arrayBuffer()), octets)
  const zip = await download(pathOf(thread, message.message_id, '1'))
  assert.equal(await zip.text(), 'hello')
})

test('a download is a file to save, which no browser takes for a page', async () => {
  const [thread, message] = await received([
    file(
      'Content-Type: text/html; charset=utf-8\r\nContent-Disposition: attachment; filename=a.html',
    ),
    file('Content-Type: image/svg+xml\r\nContent-Disposition: attachment; filename=a.svg'),
    file('Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf'),
  ])
  const types = []
  for (const { attachment_id } of message.attachments) {
    const { status, headers } = await download(pathOf(thread, message.message_id, attachment_id))
    assert.equal(status, 200)
    assert.match(headers.get('content-disposition')!, /^attachment; filename="a\.\w+"; /)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('content-security-policy'), "default-src 'none'; sandbox")
    types.push(headers.get('content-type'))
  }
  const octets = 'application/octet-stream'
  assert.deepEqual(types, [octets, octets, 'application/pdf'])
})

const named = (parameters: string) =>
  `Content-Type: application/pdf\r\nContent-Disposition: attachment; ${parameters}`

// biome-ignore format: a table
const NAMES: readonly [what: string, fields: string, filename: string][] = [
  ['folders',                     named('filename="../../etc/passwd.pdf"'),                        'passwd.pdf'],
  ['folders of Windows',          named('filename="C:\\\\Windows\\\\x.pdf"'),                      'x.pdf'],
  ['only folders',                named('filename="../.."'),                                       ''],
  ['a hidden file',               named('filename=".bashrc"'),                                     'bashrc'],
  ['final dots',                  named('filename="a.exe. . ."'),                                  'a.exe'],
  ['no name',                     named('x=y'),                                                    ''],
  ['a name of its type',          'Content-Type: application/pdf; name="t.pdf"\r\nContent-Disposition: attachment', 't.pdf'],
  ['an encoded word',             named('filename="=?utf-8?q?Gr=C3=BC=C3=9Fe.pdf?="'),              'Grüße.pdf'],
  ['a right-to-left override',    named("filename*=utf-8''a%E2%80%AEfdp.exe"),                     'afdp.exe'],
  ['a null character',            named("filename*=utf-8''a.pdf%00.exe"),                          'a.pdf.exe'],
  ['line ends',                   named("filename*=utf-8''a%0D%0ASet-Cookie:%20x.pdf"),            'a Set-Cookie: x.pdf'],
  ['line ends in a word',         named('filename="=?utf-8?q?a=0D=0AX:_y.pdf?="'),                  'a X: y.pdf'],
  ['continuations',               named("filename*0*=utf-8''a%20;\r\n filename*1*=b;\r\n filename*2=\".pdf\""), 'a b.pdf'],
  ['quotes',                      named('filename="a\\"b.pdf"'),                                   'a"b.pdf'],
  ['a name without an end',       named(`filename="${'a'.repeat(300)}.pdf"`),                      `${'a'.repeat(251)}.pdf`],
]
for (const [what, fields, filename] of NAMES)
  test(`the name of an attachment: ${what}`, async () => {
    const [thread, message] = await received([file(fields)])
    assert.equal(message.attachments[0].filename, filename)
    const { status, headers } = await download(pathOf(thread, message.message_id, '0'))
    assert.equal(status, 200)
    assert.equal(headers.get('set-cookie'), null)
    const written = headers.get('content-disposition')!
    const encoded = /filename\*=UTF-8''(\S+)$/.exec(written)![1]!
    assert.equal(decodeURIComponent(encoded), filename || 'attachment')
  })

// biome-ignore format: a table
const TYPES: readonly [written: string, shown: string][] = [
  ['IMAGE/PNG',                    'image/png'],
  ['nonsense',                     'application/octet-stream'],
  ['text/html\u00e9',              'application/octet-stream'],
  [`text/${'x'.repeat(200)}`,      'application/octet-stream'],
]
for (const [written, shown] of TYPES)
  test(`the type of an attachment: ${written.slice(0, 20)}`, async () => {
    const [, message] = await received([
      file(`Content-Type: ${written}\r\nContent-Disposition: attachment; filename=a`),
    ])
    assert.equal(message.attachments[0].content_type, shown)
  })

test('a message in a message is an attachment, and so is what is written in no known encoding', async () => {
  const [thread, message] = await received([
    'Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nHi',
    'Content-Type: application/x-a\r\nContent-Transfer-Encoding: x-unknown\r\n\r\nraw',
  ])
  assert.deepEqual(
    message.attachments.map(({ content_type }: Json) => content_type),
    ['message/rfc822', 'application/x-a'],
  )
  assert.match(await (await download(pathOf(thread, message.message_id, '0'))).text(), /inner/)
})

test('of a thousand attachments a hundred are listed, and all are counted', async () => {
  const [thread, message] = await received(
    Array.from({ length: 1000 }, () => file(named('filename=a'))),
  )
  assert.equal(message.attachments.length, 100)
  assert.equal(message.attachment_count, 1000)
  assert.equal((await download(pathOf(thread, message.message_id, '99'))).status, 200)
  assert.equal((await download(pathOf(thread, message.message_id, '100'))).status, 404)
})

test('a large attachment comes whole, and others are answered meanwhile', async () => {
  const octets = Buffer.alloc(15 * 2 ** 20, 'Mailstead')
  const lines = octets.toString('base64').replace(/.{76}/g, '$&\r\n')
  const [thread, message] = await received([file(named('filename=large.pdf'), lines)])
  assert.equal(message.attachments[0].octets, octets.length)
  const { result: whole, longest } = await longestAnswerDuring(client.base, async () => {
    const response = await download(pathOf(thread, message.message_id, '0'))
    return Buffer.from(await response.arrayBuffer())
  })
  assert.ok(whole.equals(octets))
  assert.ok(longest < 2000, `${longest} ms`)
})

test('what is not there is told apart: the conversation, the message, the attachment', async () => {
  const [thread, { message_id }] = await received([file(named('filename=a'))])
  const [other] = await received([file(named('filename=b'))])
  for (const [path, error] of [
    [pathOf(UNKNOWN_ID, message_id, '0'), 'conversation_not_found'],
    [pathOf(thread, UNKNOWN_ID, '0'), 'conversation_message_not_found'],
    [pathOf(other, message_id, '0'), 'conversation_message_not_found'],
    [pathOf(thread, message_id, '1'), 'attachment_not_found'],
    [pathOf(thread, message_id, '-1'), 'attachment_not_found'],
    [pathOf(thread, message_id, '0x0'), 'attachment_not_found'],
    [pathOf(thread, message_id, '99999999999999999999'), 'attachment_not_found'],
  ] as const) {
    const response = await download(path)
    assert.equal(response.status, 404)
    assert.equal(((await response.json()) as Json).error, error)
  }
})

test('another workspace downloads nothing', async () => {
  const [thread, { message_id }] = await received([file(named('filename=a'))])
  const response = await download(pathOf(thread, message_id, '0'), stranger)
  assert.equal(((await response.json()) as Json).error, 'conversation_not_found')
})

test('the HTML of a message is shown without what is dangerous, and refers to its attachments', async () => {
  const [, message] = await received([
    'Content-Type: text/html; charset=utf-8\r\n\r\n<p onclick="a()">Grüße<script>a()</script><img src="cid:p1@x"><img src="https://track.test/1.gif"></p>',
    file(
      'Content-Type: image/png\r\nContent-Disposition: inline; filename=a.png\r\nContent-ID: <p1@x>',
    ),
  ])
  assert.equal(message.html.trim(), '<p>Grüße<img src="cid:p1@x" /><img /></p>')
  assert.deepEqual([message.is_html_cut, message.blocked_images], [false, 1])
  assert.equal(message.attachments[0].content_id, 'p1@x')
})

test('a message without HTML has none, and one that is too long is cut', async () => {
  const [, plain] = await received(['Content-Type: text/plain\r\n\r\nHello'])
  assert.deepEqual([plain.html, plain.is_html_cut], [null, false])
  const [, long] = await received([
    `Content-Type: text/html\r\n\r\n${'<p>x</p>\r\n'.repeat(100_000)}`,
  ])
  assert.equal(long.is_html_cut, true)
})
