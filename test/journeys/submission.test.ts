/** Mail programs log in to an inbox and send. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { refuses, violates } from '../api/expect.ts'
import { type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { dialogue, plainLogIn, submissionReply, submitMail } from '../submission.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const { domain_id } = await client.addActive('acme.test')
const [startTls, implicitTls] = [
  house.house.submission.startTls[0]!,
  house.house.submission.implicitTls[0]!,
]

async function addInbox(email_prefix: string): Promise<Json> {
  const inbox = { domain_id, email_prefix, display_name: 'Kim Lee' }
  const { status, body } = await client.post('/sender-accounts/coldsend-native', inbox)
  assert.equal(status, 201)
  return body
}
const kim = await addInbox('kim')
const mailTo = (to: string, more: object = {}) => ({
  from: 'Kim Lee <kim@acme.test>',
  to,
  subject: 'Hello',
  text: 'Text',
  ...more,
})
const arrived = (to: string): Promise<Json[]> =>
  until(
    async () => (await client.sandbox('GET', `/mail?to=${to}`)).body.messages,
    (messages: Json[]) => messages.length > 0,
  )
const passwordsOf = async (id: string): Promise<Json[]> =>
  (await client.get(`/sender-accounts/${id}/app-passwords`)).body.app_passwords

test('an inbox comes with a log-in, shown this once', async () => {
  const { credentials } = kim
  const [host, port] = implicitTls.split(':')
  assert.equal(credentials.username, 'kim@acme.test')
  assert.match(credentials.password, /^[a-z2-7]{34}$/)
  assert.deepEqual(credentials.smtp, { host, port: Number(port), tls: 'implicit' })
  assert.equal(credentials.imap, null)
  const [password] = await passwordsOf(kim.inbox_id)
  assert.deepEqual([password!.name, password!.password], ['First password', undefined])
  assert.equal(
    house.logLines.some((line) => line.includes(credentials.password)),
    false,
  )
})

for (const [how, server, isImplicit] of [
  ['TLS from the start', implicitTls, true],
  ['STARTTLS', startTls, false],
] as const)
  test(`a mail program sends by ${how}: signed, proven, and without its Bcc`, async () => {
    const to = `${isImplicit ? 'ann' : 'bob'}@inbox.test`
    await submitMail(server, isImplicit, kim.credentials, mailTo(to, { bcc: `hidden-${to}` }))
    for (const recipient of [to, `hidden-${to}`]) {
      const [message] = await arrived(recipient)
      assert.deepEqual(message!.authentication, { spf: 'pass', dkim: 'pass', dmarc: 'pass' })
      assert.equal(message!.headers.bcc, undefined)
      assert.match(message!.headers.received, /with ESMTPSA/)
      assert.doesNotMatch(message!.headers.received, /127\.0\.0\.1/)
    }
    const [password] = await passwordsOf(kim.inbox_id)
    assert.notEqual(password!.last_used_at, null)
  })

test('it is in the list of messages, with its origin', async () => {
  await submitMail(implicitTls, true, kim.credentials, mailTo('listed@inbox.test'))
  const { body } = await client.get('/messages?limit=100')
  const found = body.messages.find((each: Json) => each.recipient === 'listed@inbox.test')
  assert.deepEqual([found.origin, found.inbox_id], ['submission', kim.inbox_id])
})

test('nobody logs in without TLS, and nobody sends without a log-in', async () => {
  using plain = await dialogue(startTls, false)
  assert.doesNotMatch(await plain.say('EHLO x'), /AUTH/)
  assert.match(await plain.say(plainLogIn(kim.credentials)), /^5\d\d /)
  assert.match(await plain.say('MAIL FROM:<kim@acme.test>'), /^530 /)
  using secure = await dialogue(implicitTls, true)
  assert.match(await secure.say('EHLO x'), /AUTH PLAIN LOGIN/)
  assert.match(await secure.say('MAIL FROM:<kim@acme.test>'), /^530 /)
})

test('wrong log-ins are refused', async () => {
  const other = (await addInbox('other')).credentials
  for (const logIn of [
    { ...kim.credentials, password: 'hunter2' },
    { ...kim.credentials, password: '' },
    { ...kim.credentials, password: `${kim.credentials.password.slice(0, -1)}a` },
    { ...kim.credentials, password: kim.credentials.password.toUpperCase() },
    { ...kim.credentials, password: other.password },
    { ...kim.credentials, username: 'other@acme.test' },
    { ...kim.credentials, username: 'nobody@acme.test' },
    { ...kim.credentials, username: 'kim' },
  ]) {
    using secure = await dialogue(implicitTls, true)
    await secure.say('EHLO x')
    assert.match(await secure.say(plainLogIn(logIn)), /^535 /, JSON.stringify(logIn))
    assert.match(await secure.say('MAIL FROM:<kim@acme.test>'), /^530 /)
  }
  using secure = await dialogue(implicitTls, true)
  await secure.say('EHLO x')
  assert.match(await secure.say(plainLogIn(kim.credentials, 'other@acme.test')), /^535 /)
  assert.match(await secure.say('AUTH CRAM-MD5'), /^504 /)
})

test('the envelope is of the inbox that is logged in', async () => {
  using secure = await dialogue(implicitTls, true)
  await secure.say('EHLO x')
  assert.match(await secure.say(plainLogIn(kim.credentials)), /^235 /)
  for (const sender of ['ceo@acme.test', '', 'kim@acme.test.evil.test', 'kim@ACME.test@x'])
    assert.match(await secure.say(`MAIL FROM:<${sender}>`), /^5\d\d /, sender)
  assert.match(await secure.say('MAIL FROM:<kim@acme.test> BODY=8BITMIME'), /^250 /)
  for (const recipient of ['a@b', 'no address', 'jürgen@inbox.test', 'a@-x.test'])
    assert.match(await secure.say(`RCPT TO:<${recipient}>`), /^5\d\d /, recipient)
  assert.match(await secure.say('RCPT TO:<ann@inbox.test> NOTIFY=NEVER'), /^5\d\d /)
})

for (const from of ['ceo@acme.test', 'ceo@evil.test', '"ceo@evil.test" <kim@acme.test>'])
  test(`the From field ${from} is refused, and nothing is sent`, async () => {
    const raw = `From: ${from}\r\nTo: forged@inbox.test\r\nSubject: x\r\n\r\nText\r\n`
    const envelope = { from: 'kim@acme.test', to: 'forged@inbox.test' }
    assert.equal(await submissionReply(implicitTls, true, kim.credentials, { raw, envelope }), 550)
    const { body } = await client.get('/messages?limit=100')
    assert.equal(
      body.messages.some((each: Json) => each.recipient === 'forged@inbox.test'),
      false,
    )
  })

test('a revoked password ends at once, also for a program that is logged in', async () => {
  const name = 'Phone'
  const { body: made } = await client.post(`/sender-accounts/${kim.inbox_id}/app-passwords`, {
    name,
  })
  using secure = await dialogue(implicitTls, true)
  await secure.say('EHLO x')
  assert.match(await secure.say(plainLogIn(made)), /^235 /)
  assert.match(await secure.say('MAIL FROM:<kim@acme.test>'), /^250 /)
  await secure.say('RSET')
  const one = `/sender-accounts/${kim.inbox_id}/app-passwords/${made.password_id}`
  assert.equal((await client.delete(one)).status, 200)
  assert.match(await secure.say('MAIL FROM:<kim@acme.test>'), /^530 /)
  assert.equal(await submissionReply(implicitTls, true, made, mailTo('ann@inbox.test')), 535)
  refuses(await client.delete(one), 404, 'app_password_not_found')
})

test('a password that has expired is refused', async () => {
  const wanted = { name: 'Short', expires_at: new Date(Date.now() + 60_000).toISOString() }
  const { body: made } = await client.post(`/sender-accounts/${kim.inbox_id}/app-passwords`, wanted)
  await store.db
    .updateTable('app_passwords')
    .set({ expires_at: new Date(Date.now() - 1000) })
    .where('id', '=', made.password_id)
    .execute()
  assert.equal(await submissionReply(implicitTls, true, made, mailTo('ann@inbox.test')), 535)
})

test('app passwords of others, in the past, and beyond the limit are refused', async () => {
  const inbox = await addInbox('limit')
  const path = `/sender-accounts/${inbox.inbox_id}/app-passwords`
  const stranger = await house.clientOf({ workspace: anotherWorkspace() })
  refuses(await stranger.get(path), 404, 'sender_account_not_found')
  refuses(await stranger.post(path, { name: 'x' }), 404, 'sender_account_not_found')
  violates(
    await client.post(path, { name: 'x', expires_at: '2020-01-01T00:00:00Z' }),
    ['body', 'expires_at'],
    'value_error.datetime',
  )
  violates(
    await client.post(path, { name: '' }),
    ['body', 'name'],
    'value_error.any_str.min_length',
  )
  violates(await client.post(path, { name: 'a\nb' }), ['body', 'name'], 'value_error.str.regex')
  const answers = await Promise.all(
    Array.from({ length: 25 }, (_, n) => client.post(path, { name: `${n}` })),
  )
  const made = answers.filter(({ status }) => status === 201)
  assert.equal(made.length + 1 <= 20, true)
  refuses(answers.find(({ status }) => status !== 201)!, 409, 'too_many_app_passwords')
})

test('limits hold for all recipients of a message together', async () => {
  const inbox = await addInbox('few')
  await client.request('PUT', `/api/public/v1/sender-accounts/${inbox.inbox_id}`, {
    daily_limit: 3,
  })
  const to = (count: number, mark: string) => {
    const addresses = Array.from({ length: count }, (_, n) => `${mark}${n}@inbox.test`)
    return { ...mailTo(addresses.join(', ')), from: 'few@acme.test' }
  }
  const reply = (count: number, mark: string) =>
    submissionReply(implicitTls, true, inbox.credentials, to(count, mark))
  assert.equal(await reply(4, 'four'), 451)
  assert.equal(await reply(2, 'two'), 250)
  assert.equal(await reply(2, 'more'), 451)
  assert.equal(await reply(1, 'one'), 250)
  const { body } = await client.get('/messages?limit=100')
  const sent = body.messages.filter((each: Json) => each.inbox_id === inbox.inbox_id)
  assert.deepEqual(sent.map((each: Json) => each.recipient).toSorted(), [
    'one0@inbox.test',
    'two0@inbox.test',
    'two1@inbox.test',
  ])
})

test('one message to many is stored once', async () => {
  const to = Array.from({ length: 20 }, (_, n) => `many${n}@inbox.test`).join(', ')
  await submitMail(implicitTls, true, kim.credentials, mailTo(to))
  const rows = await store.db
    .selectFrom('outgoing_messages')
    .select(['message_id', 'recipient'])
    .where('recipient', 'like', 'many%')
    .execute()
  assert.equal(rows.length, 20)
  assert.equal(new Set(rows.map(({ message_id }) => message_id)).size, 1)
})

test('who wants no mail is refused at once', async () => {
  await client.post('/suppressions', { email_address: 'left@inbox.test' })
  assert.equal(
    await submissionReply(implicitTls, true, kim.credentials, mailTo('left@inbox.test')),
    550,
  )
})

test('a paused inbox sends nothing, and a deleted one is logged in to no more', async () => {
  const inbox = await addInbox('paused')
  const reply = () =>
    submissionReply(implicitTls, true, inbox.credentials, {
      ...mailTo('ann@inbox.test'),
      from: 'paused@acme.test',
    })
  await client.post(`/sender-accounts/${inbox.inbox_id}/pause`)
  assert.equal(await reply(), 451)
  await client.post(`/sender-accounts/${inbox.inbox_id}/resume`)
  assert.equal(await reply(), 250)
  await client.delete(`/sender-accounts/${inbox.inbox_id}`)
  assert.equal(await reply(), 535)
})

test('an answer from a mail program joins its conversation', async () => {
  const question = {
    from: 'eve@inbox.test',
    to: 'kim@acme.test',
    subject: 'Question',
    text: 'Well?',
  }
  assert.equal((await client.sandbox('POST', '/mail', question)).status, 202)
  const conversations = async (): Promise<Json[]> =>
    (await client.get('/replies?limit=100')).body.conversations
  const { thread_id } = await until(
    async () => (await conversations()).find(({ subject }) => subject === 'Question')!,
    (found) => found !== undefined,
  )
  await client.post(`/replies/threads/${thread_id}/reply`, { body: 'One moment.' })
  const [moment] = await arrived('eve@inbox.test')
  const inReplyTo = moment!.headers['in-reply-to']
  const answer = mailTo('eve@inbox.test, bystander@inbox.test', {
    subject: 'Re: Question',
    inReplyTo,
  })
  await submitMail(implicitTls, true, kim.credentials, answer)
  const messages = await until(
    async () => (await client.get(`/replies/threads/${thread_id}/messages`)).body.messages,
    (all: Json[]) => all.length === 3,
  )
  assert.deepEqual(
    messages.map(({ author, direction }: Json) => [author, direction]),
    [
      ['eve@inbox.test', 'received'],
      ['kim@acme.test', 'sent'],
      ['kim@acme.test', 'sent'],
    ],
  )
})

test('a thousand wrong log-ins are not looked up, and the right one works elsewhere', async () => {
  let refused = 0
  for (let n = 0; n < 200; n++) {
    using secure = await dialogue(implicitTls, true)
    await secure.say('EHLO x')
    for (let guess = 0; guess < 5; guess++) {
      const reply = await secure.say(plainLogIn({ ...kim.credentials, password: `guess${n}` }))
      if (reply.startsWith('454')) refused += 1
    }
  }
  assert.equal(refused > 800, true, `${refused}`)
})

test('inboxes are exported with new log-ins, as a file that no spreadsheet runs', async () => {
  const inbox = { domain_id, email_prefix: 'formula', display_name: '=1+1' }
  const { body } = await client.post('/sender-accounts/coldsend-native', inbox)
  const ids = { inbox_ids: [body.inbox_id, kim.inbox_id, '00000000-0000-4000-8000-000000000000'] }
  const response = await fetch(`${client.base}/api/public/v1/sender-accounts/export`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': client.key! },
    body: JSON.stringify(ids),
  })
  const rows = (await response.text()).trimEnd().split('\r\n')
  assert.equal(rows.length, 3)
  assert.match(rows.find((row) => row.includes('formula@'))!, /"'=1\+1"/)
  assert.match(rows[1]!, /,[a-z2-7]{34},/)
  const reader = await house.clientOf({ scopes: ['sender_accounts:all'] })
  refuses(await reader.post('/sender-accounts/export', ids), 403, 'insufficient_scopes')
})
