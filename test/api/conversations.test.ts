/** A conversation: its messages, what its reader notes, and answers to it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { longestAnswerDuring } from '../others.ts'
import { sendMail } from '../smtp.ts'
import { refuses, UNKNOWN_ID, violates } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const stranger = await house.clientOf({ workspace: anotherWorkspace() })
const { domain_id } = await client.addActive('acme.test')
const { body: inbox } = await client.post('/sender-accounts/coldsend-native', {
  domain_id,
  email_prefix: 'kim',
  display_name: 'Kim Lee',
})

const write = async (subject: string, text = 'Hello', more: object = {}) => {
  const mail = { from: 'ann@inbox.test', to: 'kim@acme.test', subject, text, ...more }
  assert.equal((await client.sandbox('POST', '/mail', mail)).status, 202)
}
const thread = (subject: string): Promise<Json> =>
  until(
    async () => {
      const { body } = await client.get('/replies?limit=100')
      return body.conversations.find((each: Json) => each.subject === subject)
    },
    (found) => found !== undefined,
  )
const at = (id: string, rest = '') => `/replies/threads/${id}${rest}`
const messages = async (id: string, query = ''): Promise<Json[]> =>
  (await client.get(at(id, `/messages${query}`))).body.messages
const patch = (id: string, what: string, body?: unknown, by = client) =>
  by.request('PATCH', `/api/public/v1${at(id, `/${what}`)}`, body)
const answer = (id: string, text: string) => client.post(at(id, '/reply'), { body: text })
const arrived = async (to: string): Promise<Json[]> =>
  (await client.sandbox('GET', `/mail?to=${to}`)).body.messages
const raw = (lines: readonly string[]) =>
  sendMail(house.smtp, ['kim@acme.test'], `${lines.join('\r\n')}\r\n`)

test('one conversation is shown as it is in the list', async () => {
  await write('Shown')
  const listed = await thread('Shown')
  const { success, message, ...shown } = (await client.get(at(listed.thread_id))).body
  assert.deepEqual([success, typeof message], [true, 'string'])
  assert.deepEqual(shown, listed)
})

test('to another workspace it is not there', async () => {
  await write('Private')
  const { thread_id } = await thread('Private')
  for (const id of [thread_id, UNKNOWN_ID]) {
    for (const refused of [
      await stranger.get(at(id)),
      await stranger.get(at(id, '/messages')),
      await patch(id, 'read', {}, stranger),
      await patch(id, 'star', undefined, stranger),
      await patch(id, 'archive', undefined, stranger),
      await patch(id, 'category', { category: 'other' }, stranger),
      await stranger.post(at(id, '/reply'), { body: 'x' }),
    ])
      refuses(refused, 404, 'conversation_not_found')
  }
  assert.equal((await thread('Private')).is_read, false)
})

test('a message is shown with its lines, its author and what was found out about it', async () => {
  await write('Lines', 'one\ntwo\n\n  three')
  const { thread_id } = await thread('Lines')
  const [message] = await messages(thread_id)
  assert.equal(message.text, 'one\ntwo\n\n  three')
  assert.deepEqual(
    [message.direction, message.author, message.recipient, message.is_cut],
    ['received', 'ann@inbox.test', 'kim@acme.test', false],
  )
  assert.deepEqual(message.authentication, { spf: 'pass', dkim: 'pass', dmarc: 'pass' })
  assert.deepEqual([message.state, message.outgoing_message_id], [null, null])
})

test('the text of HTML is shown, and its attachments are named', async () => {
  await raw([
    'From: eve@outside.test',
    'Subject: HTML',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=b',
    '',
    '--b',
    'Content-Type: text/html; charset=utf-8',
    '',
    '<p>Hello <b>Kim</b></p><script>alert(1)</script>',
    '--b',
    'Content-Type: application/pdf; name="a\u202egpj.pdf"',
    'Content-Disposition: attachment; filename="../../etc/passwd.pdf"',
    'Content-Transfer-Encoding: base64',
    '',
    'aGVsbG8=',
    '--b--',
  ])
  const [message] = await messages((await thread('HTML')).thread_id)
  assert.match(message.text, /Hello Kim/)
  assert.doesNotMatch(message.text, /<|alert/)
  assert.deepEqual(
    message.attachments.map(({ content_type, octets }: Json) => [content_type, octets]),
    [['application/pdf', 5]],
  )
  assert.doesNotMatch(message.attachments[0].filename, /\u202e/)
})

test('a text longer than is shown is cut, and says so', async () => {
  await write('Long', 'word '.repeat(10_000))
  const [message] = await messages((await thread('Long')).thread_id)
  assert.equal(message.text.length, 20_000)
  assert.equal(message.is_cut, true)
})

test('a message that is hard to read delays nobody else', async () => {
  const body = '\r\n'.repeat(4_000_000)
  await raw(['From: eve@outside.test', 'Subject: Blank', '', body])
  const { thread_id } = await thread('Blank')
  const { result, longest } = await longestAnswerDuring(client.base, () =>
    client.get(at(thread_id, '/messages')),
  )
  assert.equal(result.status, 200)
  assert.ok(longest < 2000, `${longest} ms`)
})

test('it is marked as read and as unread, and its star goes on and off', async () => {
  await write('Noted')
  const { thread_id } = await thread('Noted')
  const now = async () => {
    const { is_read, is_starred } = await thread('Noted')
    return [is_read, is_starred]
  }
  for (const [what, body, expected] of [
    ['read', undefined, [true, false]],
    ['read', { is_read: true }, [true, false]],
    ['star', undefined, [true, true]],
    ['read', { is_read: false }, [false, true]],
    ['star', undefined, [false, false]],
  ] as const) {
    const { status, body: shown } = await patch(thread_id, what, body)
    assert.deepEqual([status, shown.is_read, shown.is_starred], [200, ...expected])
    assert.deepEqual(await now(), expected)
  }
  violates(await patch(thread_id, 'read', { is_read: 'x' }), ['body', 'is_read'], 'type_error.bool')
})

test('it is archived until its next message arrives, and taken out again', async () => {
  await raw(['From: eve@outside.test', 'Subject: Archive', 'Message-ID: <archive@x>', '', 'Hello'])
  const { thread_id } = await thread('Archive')
  const listed = async (query: string) =>
    (await client.get(`/replies?limit=100&${query}`)).body.conversations.some(
      (each: Json) => each.thread_id === thread_id,
    )
  for (const [body, expected] of [
    [undefined, true],
    [{ is_archived: true }, true],
    [{ is_archived: false }, false],
    [{}, true],
  ] as const) {
    const { status, body: shown } = await patch(thread_id, 'archive', body)
    assert.deepEqual([status, shown.is_archived], [200, expected])
    assert.equal(typeof shown.archived_at, expected ? 'string' : 'object')
    assert.deepEqual([shown.archived_domain_name, shown.archived_inbox_email], [null, null])
    assert.deepEqual(
      [await listed('archived=true'), await listed('archived=false'), await listed('')],
      [expected, !expected, true],
    )
  }
  await raw([
    'From: eve@outside.test',
    'Subject: Re: Archive',
    'References: <archive@x>',
    '',
    'Again',
  ])
  await until(
    () => thread('Archive'),
    ({ is_archived }) => !is_archived,
  )
  violates(
    await patch(thread_id, 'archive', { is_archived: 1 }),
    ['body', 'is_archived'],
    'type_error.bool',
  )
})

test('it has one category of a list, or none', async () => {
  await write('Category')
  const { thread_id } = await thread('Category')
  for (const category of ['interested', 'out_of_office', null]) {
    const { body } = await patch(thread_id, 'category', { category })
    assert.equal(body.category, category)
    assert.equal((await thread('Category')).category, category)
  }
  for (const [body, type] of [
    [{}, 'value_error.missing'],
    [{ category: 'Interested' }, 'type_error.enum'],
    [{ category: '' }, 'type_error.enum'],
  ] as const)
    violates(await patch(thread_id, 'category', body), ['body', 'category'], type)
})

// biome-ignore format: a table
const KINDS: readonly [subject: string, fields: readonly string[], kind: string][] = [
  ['A person',               [],                                       'person'],
  ['Automatic reply: Hello', [],                                       'automatic'],
  ['Vacation',               ['Auto-Submitted: auto-replied'],         'automatic'],
  ['Report domain: acme.test Submitter: x.test', [],                   'report'],
]
for (const [subject, fields, kind] of KINDS)
  test(`a message “${subject}” is of the kind ${kind}, and so are its conversation and its event`, async () => {
    await raw(['From: eve@outside.test', `Subject: ${subject}`, ...fields, '', 'Hi'])
    const shown = await thread(subject)
    assert.deepEqual([shown.kind, shown.is_read], [kind, false])
    assert.equal((await messages(shown.thread_id))[0]!.kind, kind)
    const { body } = await client.get(`/replies?limit=100&kind=${kind}`)
    assert.ok(body.conversations.every((each: Json) => each.kind === kind))
    assert.ok(body.conversations.some((each: Json) => each.subject === subject))
    const { rows } = await sql<{ kind: string }>`
      select data->>'kind' as kind from events where data->>'reply_id' = ${shown.thread_id}`.execute(
      store.db,
    )
    assert.deepEqual(rows, [{ kind }])
  })

test('an answer reaches the author, refers to the message, and stands in the conversation', async () => {
  await write('Question', 'When?', { from: 'joe@inbox.test' })
  const { thread_id } = await thread('Question')
  const sent = await answer(thread_id, 'At noon.\n\nKim')
  assert.equal(sent.status, 200)
  assert.deepEqual(
    [sent.body.recipient_email, sent.body.authentication.dmarc],
    ['joe@inbox.test', 'pass'],
  )
  const [mail] = await until(
    () => arrived('joe@inbox.test'),
    (all) => all.length > 0,
  )
  assert.deepEqual([mail.subject, mail.text.trim()], ['Re: Question', 'At noon.\n\nKim'])
  assert.deepEqual(mail.authentication, { spf: 'pass', dkim: 'pass', dmarc: 'pass' })
  assert.equal(mail.headers['message-id'], sent.body.message_id)
  assert.ok(mail.headers['in-reply-to'])
  assert.equal(mail.headers.references, mail.headers['in-reply-to'])
  const both = await until(
    () => messages(thread_id),
    ([, own]) => own?.state === 'sent',
  )
  assert.deepEqual(
    both.map(({ direction, author, text }) => [direction, author, text]),
    [
      ['received', 'joe@inbox.test', 'When?'],
      ['sent', 'kim@acme.test', 'At noon.\n\nKim'],
    ],
  )
  assert.equal(both[1].outgoing_message_id, sent.body.outgoing_message_id)
  const { is_read, last_message_preview } = await thread('Question')
  assert.deepEqual([is_read, last_message_preview], [true, 'At noon. Kim'])
})

test('what the author says to that joins the conversation, and so do further answers', async () => {
  const [mail] = await arrived('joe@inbox.test')
  const { thread_id } = await thread('Question')
  // Sent by an unknown host, it would be another conversation: the author is not proven.
  const unproven = [
    'From: joe@inbox.test',
    'Subject: Re: Question',
    'Message-ID: <forged@inbox.test>',
    `In-Reply-To: ${mail.headers['message-id']}`,
    `References: ${mail.headers.references} ${mail.headers['message-id']}`,
    '',
    'Forged.',
  ]
  await raw(unproven)
  assert.equal((await messages(thread_id)).length, 2)
  await answer(thread_id, 'Or at one.')
  const [, second] = await until(
    () => arrived('joe@inbox.test'),
    (all) => all.length > 1,
  )
  assert.equal(second.headers['in-reply-to'], mail.headers['message-id'])
  assert.equal(
    second.headers.references.replace(/\s+/g, ' '),
    `${mail.headers.references} ${mail.headers['message-id']}`,
  )
  assert.equal(second.subject, 'Re: Question')
})

test('the sent copy is in the export of the domain, once', async () => {
  const response = await fetch(`${client.base}/api/public/v1/domains/${domain_id}/mail`, {
    headers: { 'x-api-key': client.key! },
  })
  const mbox = await response.text()
  assert.equal(mbox.split('At noon.').length - 1, 1)
})

// biome-ignore format: a table
const NOT_ANSWERS: [body: unknown, loc: string[], type: string][] = [
  [{},                  ['body', 'body'], 'value_error.missing'],
  [{ body: '' },        ['body', 'body'], 'value_error.any_str.min_length'],
  [{ body: 'a\0b' },    ['body', 'body'], 'value_error.str.regex'],
  [{ body: 5 },         ['body', 'body'], 'type_error.str'],
]
for (const [body, loc, type] of NOT_ANSWERS)
  test(`${JSON.stringify(body)} is no answer`, async () => {
    await write('Refusing')
    const { thread_id } = await thread('Refusing')
    violates(await client.post(at(thread_id, '/reply'), body), loc, type)
  })

test('a conversation whose messages name no single author cannot be answered', async () => {
  await raw(['From: a@outside.test, b@outside.test', 'Subject: Two authors', '', 'Hi'])
  const { thread_id, lead_email } = await thread('Two authors')
  assert.equal(lead_email, '')
  refuses(await answer(thread_id, 'x'), 409, 'conversation_without_author')
})

test('nothing is answered to who wants no mail, or from an inbox that is paused', async () => {
  await write('Unwanted', 'Stop', { from: 'stop@inbox.test' })
  const { thread_id } = await thread('Unwanted')
  await client.post('/suppressions', { email_address: 'stop@inbox.test' })
  refuses(await answer(thread_id, 'x'), 409, 'recipient_suppressed')
  assert.equal((await messages(thread_id)).length, 1)
  await client.post(`/sender-accounts/${inbox.inbox_id}/pause`)
  refuses(await answer(thread_id, 'x'), 409, 'inbox_paused')
  await client.post(`/sender-accounts/${inbox.inbox_id}/resume`)
})

test('ten answers at once are all sent, and stand in the conversation once each', async () => {
  await write('Busy', 'Hello', { from: 'busy@inbox.test' })
  const { thread_id } = await thread('Busy')
  const answers = await Promise.all(
    Array.from({ length: 10 }, (_, index) => answer(thread_id, `answer ${index}`)),
  )
  assert.ok(answers.every(({ status }) => status === 200))
  await until(
    () => arrived('busy@inbox.test'),
    (all) => all.length === 10,
  )
  const texts = (await messages(thread_id)).slice(1).map(({ text }) => text)
  assert.deepEqual(
    texts.toSorted(),
    Array.from({ length: 10 }, (_, n) => `answer ${n}`),
  )
  assert.equal((await messages(thread_id, '?limit=3')).length, 3)
})

test('once its inbox is deleted it can be read and not answered', async () => {
  const { body: other } = await client.post('/sender-accounts/coldsend-native', {
    domain_id,
    email_prefix: 'lee',
    display_name: 'Lee',
  })
  await write('Archived', 'Hello', { to: 'lee@acme.test' })
  const { thread_id } = await thread('Archived')
  assert.equal((await answer(thread_id, 'Hi')).status, 200)
  await client.delete(`/sender-accounts/${other.inbox_id}`)
  refuses(await answer(thread_id, 'x'), 409, 'conversation_archived')
  assert.equal((await messages(thread_id)).length, 2)
  const { rows } = await sql<{ octets: string }>`
    select octets from mail_usage where localpart = 'lee'`.execute(store.db)
  assert.ok(Number(rows[0]!.octets) > 0)
})

test('an answer ends with the signature of its inbox, also in HTML', async () => {
  const path = `/api/public/v1/sender-accounts/${inbox.inbox_id}`
  const sign = (signature: string) => client.request('PUT', path, { signature })
  assert.equal((await sign('Kim Lee\nAcme <3 & co')).body.signature, 'Kim Lee\nAcme <3 & co')
  violates(await sign('x'.repeat(2001)), ['body', 'signature'], 'value_error.any_str.max_length')
  violates(await sign('a\0b'), ['body', 'signature'], 'value_error.str.regex')
  await write('Signed')
  const { thread_id } = await thread('Signed')
  const html = await client.post(at(thread_id, '/reply'), { html_body: '<p>Yes</p>' })
  assert.equal(html.status, 200)
  const shown = await until(
    async () => (await messages(thread_id)).filter(({ direction }) => direction === 'sent'),
    (sent: Json[]) => sent.length === 1,
  )
  assert.match(shown[0]!.text, /^Yes\s+-- \nKim Lee\nAcme <3 & co/)
  assert.match(shown[0]!.html, /Kim Lee<br \/>\s*Acme &lt;3 &amp; co/)
  await sign('')
})
