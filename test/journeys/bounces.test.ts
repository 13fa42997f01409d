/** What comes back of a message that was sent: it is told where it is about, and answered to nobody. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { conditionOf, type Json, until } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'
import { sendMail, smtpReply } from '../smtp.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house

let domain: Json
let inbox: Json
before(async () => {
  domain = await client.addActive('acme.test')
  const wish = { domain_id: domain.domain_id, email_prefix: 'kim', display_name: 'Kim' }
  inbox = (await client.post('/sender-accounts/coldsend-native', wish)).body
  await until(
    async () => (await client.get(`/sender-accounts?domain_id=${domain.domain_id}`)).body,
    ({ sender_accounts: [one] }) => one?.overall_status === 'ACTIVE',
  )
})

const stateOf = async (id: string): Promise<Json> => (await client.get(`/messages/${id}`)).body

/** Sends a message to the recipient, and gives it with its envelope sender. */
async function sent(recipient: string): Promise<Json & { envelopeSender: string }> {
  await client.post(`/sender-accounts/${inbox.inbox_id}/test-email`, { recipient_email: recipient })
  const message = await until(
    async () => (await client.get(`/messages?recipient=${recipient}`)).body.messages[0],
    (found) => found?.state === 'sent',
  )
  const { conversation } = (await stateOf(message.id)).attempts[0]
  return { ...message, envelopeSender: /C: MAIL FROM:<([^>]*)>/.exec(conversation)![1]! }
}

const report = (type: string, ...parts: readonly string[]): string =>
  [
    'From: Mail Delivery System <MAILER-DAEMON@mx.lead.example>',
    'Subject: Undelivered Mail Returned to Sender',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=${type}; boundary="=x"`,
    '',
    '--=x\r\nContent-Type: text/plain\r\n\r\nIt did not arrive.',
    ...parts.map((part) => `--=x\r\n${part}`),
    '--=x--\r\n',
  ].join('\r\n')

const status = (...fields: readonly string[]): string =>
  [
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.lead.example',
    '',
    'Final-Recipient: rfc822; ann@lead.example',
    ...fields,
    '',
  ].join('\r\n')

const bounce = (action: string, code = '5.1.1') =>
  report(
    'delivery-status',
    status(`Action: ${action}`, `Status: ${code}`, 'Diagnostic-Code: smtp; 550 5.1.1 no such user'),
  )

test('each message has an envelope sender of its own, whose domain takes reports and passes SPF', async () => {
  const [one, other] = [await sent('one@inbox.test'), await sent('other@inbox.test')]
  assert.match(one.envelopeSender, /^b\+[0-9a-f]{32}@bounce\.acme\.test$/)
  assert.notEqual(one.envelopeSender, other.envelopeSender)
  const { answers } = await ask(house.dns, 'bounce.acme.test', 'MX')
  assert.match(JSON.stringify(answers), /mx\.mailstead\.test/)
  const { messages } = (await client.sandbox('GET', '/mail?to=one@inbox.test')).body
  assert.deepEqual(messages[0].authentication, { spf: 'pass', dkim: 'pass', dmarc: 'pass' })
  const { dns_records } = await client.untilDomain(domain.domain_id, () => true)
  const ofBounces = dns_records.filter(({ purpose }: Json) => purpose === 'bounce')
  assert.deepEqual(
    ofBounces.map(({ type, required, status: seen }: Json) => [type, required, seen]).toSorted(),
    [
      ['MX', false, 'published'],
      ['TXT', false, 'published'],
    ],
  )
})

test('a message that came back is bounced, and its inbox reads why in the conversation', async () => {
  const message = await sent('gone@inbox.test')
  assert.equal(await sendMail(house.smtp, [message.envelopeSender], bounce('failed'), ''), 250)
  const noted = await stateOf(message.id)
  assert.equal(noted.state, 'bounced')
  assert.equal(noted.last_reply, '550 5.1.1 no such user')
  const { number, outcome, host, reply } = noted.attempts.at(-1)
  assert.deepEqual(
    [number, outcome, host, reply],
    [2, 'bounced', 'mx.lead.example', '550 5.1.1 no such user'],
  )
  const { conversations } = (await client.get('/replies?limit=100')).body
  const told = conversations.find(({ lead_email }: Json) => lead_email === 'gone@inbox.test')
  assert.equal(told.inbox_id, inbox.inbox_id)
  assert.match(told.last_message_preview, /It did not arrive/)
  // Once more is once.
  assert.equal(await sendMail(house.smtp, [message.envelopeSender], bounce('failed'), ''), 250)
  assert.equal((await stateOf(message.id)).attempts.length, 2)
})

test('what is only late has not come back, and what arrived has arrived', async () => {
  const message = await sent('slowly@inbox.test')
  const { envelopeSender, id } = message
  await sendMail(house.smtp, [envelopeSender], bounce('delayed', '4.4.1'), '')
  assert.equal((await stateOf(id)).state, 'sent')
  await sendMail(house.smtp, [envelopeSender], bounce('relayed', '2.0.0'), '')
  assert.equal((await stateOf(id)).state, 'delivered')
  // A host behind the first one may still give it up.
  await sendMail(house.smtp, [envelopeSender.toUpperCase()], bounce('Failed (gave up)'), '')
  assert.equal((await stateOf(id)).state, 'bounced')
  await sendMail(house.smtp, [envelopeSender], bounce('delivered', '2.0.0'), '')
  assert.equal((await stateOf(id)).state, 'bounced')
})

test('an answer from a machine that writes to the envelope sender is in the conversation, and no bounce', async () => {
  const message = await sent('away@inbox.test')
  const answer = `From: away@inbox.test\r\nSubject: Out of office\r\nIn-Reply-To: ${message.message_id}\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n`
  assert.equal(await sendMail(house.smtp, [message.envelopeSender], answer, ''), 250)
  assert.equal((await stateOf(message.id)).state, 'sent')
  const { conversations } = (await client.get('/replies?limit=100')).body
  const told = conversations.find(({ lead_email }: Json) => lead_email === 'away@inbox.test')
  assert.equal(told.last_message_preview, 'I am away.')
})

const complaint = (fields: readonly string[], original: string) =>
  report(
    'feedback-report',
    ['Content-Type: message/feedback-report', '', ...fields, ''].join('\r\n'),
    `Content-Type: text/rfc822-headers\r\n\r\n${original}\r\n`,
  )
const ABUSE = ['Feedback-Type: abuse', 'User-Agent: X/1.0', 'Version: 1']

test('a complaint is known by the envelope sender or the Message-ID it names, wherever it comes', async () => {
  const [one, other] = [await sent('hers@inbox.test'), await sent('his@inbox.test')]
  const named = complaint([...ABUSE, `Original-Mail-From: <${one.envelopeSender}>`], 'Subject: x')
  assert.equal(await sendMail(house.smtp, ['abuse@acme.test'], named, 'fbl@lead.example'), 250)
  assert.equal((await stateOf(one.id)).state, 'complained')
  const sparse = complaint(ABUSE, `Subject: x\r\nMessage-ID: ${other.message_id}`)
  const rescued = sparse.replace('Feedback-Type: abuse', 'Feedback-Type: not-spam')
  await sendMail(house.smtp, ['abuse@acme.test'], rescued, 'fbl@lead.example')
  assert.equal((await stateOf(other.id)).state, 'sent')
  await sendMail(house.smtp, ['abuse@acme.test'], sparse, 'fbl@lead.example')
  assert.equal((await stateOf(other.id)).state, 'complained')
})

test('nobody is told that mail to an address which was never an envelope sender has come back', async () => {
  const { envelopeSender } = await sent('real@inbox.test')
  const other = envelopeSender.replace(/[0-9a-f]@/, (c: string) => (c === '0@' ? '1@' : '0@'))
  for (const nobody of [other, 'b+1@bounce.acme.test', 'kim@bounce.acme.test', 'x@bounce.test'])
    assert.equal(await smtpReply(house.smtp, nobody, ''), 550)
  assert.equal(await smtpReply(house.smtp, 'postmaster@bounce.acme.test', ''), 250)
})

test('who uses the name for a service of their own gets it, and mail has its author for envelope sender', async () => {
  const path = `/domains/${domain.domain_id}/records`
  const alias = { type: 'CNAME', name: 'bounce.acme.test', value: 'bounces.esp.example.', ttl: 300 }
  const { status: taken, body } = await client.post(path, alias)
  assert.equal(taken, 201, JSON.stringify(body))
  await until(
    async () => (await ask(house.dns, 'bounce.acme.test', 'CNAME')).answers,
    (answers) => /bounces\.esp\.example/.test(JSON.stringify(answers)),
  )
  const { dns_records } = await client.untilDomain(
    domain.domain_id,
    ({ dns_records: shown }) => !shown.some(({ purpose }: Json) => purpose === 'bounce'),
  )
  assert.ok(dns_records.length > 0)
  const message = await sent('later@inbox.test')
  assert.equal(message.envelopeSender, 'kim@acme.test')
  // A report that comes to the author says which message it is about.
  const returned = `Content-Type: message/rfc822\r\n\r\nMessage-ID: ${message.message_id}\r\nSubject: x\r\n\r\nbody\r\n`
  const about = report('delivery-status', status('Action: failed', 'Status: 5.2.2'), returned)
  assert.equal(await sendMail(house.smtp, ['kim@acme.test'], about, ''), 250)
  assert.deepEqual(
    [(await stateOf(message.id)).state, (await stateOf(message.id)).last_reply],
    ['bounced', '5.2.2'],
  )
})

test('a domain whose own DMARC record wants the very domain of SPF is proven all the same', async () => {
  const { domain_id: id } = await client.addActive('exact.test')
  const value = 'v=DMARC1; p=none; aspf=s'
  const wish = { type: 'TXT', name: '_dmarc.exact.test', value, ttl: 300 }
  assert.equal((await client.post(`/domains/${id}/records`, wish)).status, 201)
  await client.post(`/domains/${id}/check`)
  const domain = await client.untilDomain(
    id,
    (found) =>
      !found.dns_records.some(({ purpose }: Json) => purpose === 'dmarc') &&
      conditionOf(found, 'mail_proven').status === 'met',
  )
  assert.equal(domain.status, 'ACTIVE')
})
