import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { conditionOf, type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { hasFields, isInstant, refuses, UNKNOWN_ID, violates } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const { domain_id } = await client.addActive('acme.test')
const addInbox = async (email_prefix: string, display_name: string): Promise<Json> =>
  (
    await client.post('/sender-accounts/coldsend-native', {
      domain_id,
      email_prefix,
      display_name,
    })
  ).body
const kim = await addInbox('kim', 'Kim Lee')

const send = (recipient_email: unknown, inbox = kim.inbox_id) =>
  client.post(`/sender-accounts/${inbox}/test-email`, { recipient_email })
const arrivedAt = async (address: string): Promise<Json> => {
  const { messages } = await until(
    async () => (await client.sandbox('GET', `/mail?to=${address}`)).body,
    (body) => body.messages.length > 0,
  )
  return messages[0]
}

test('the answer is that of the contract, and names the message that arrives', async () => {
  const { status, body } = await send('Visitor@Inbox.TEST')
  assert.equal(status, 200)
  hasFields(body, 'success message inbox_id inbox_email recipient_email sent_at message_id')
  assert.deepEqual(
    [body.success, body.inbox_id, body.inbox_email, body.recipient_email],
    [true, kim.inbox_id, 'kim@acme.test', 'visitor@inbox.test'],
  )
  isInstant(body.sent_at)
  assert.match(body.message_id, /^<[^@<>\s]+@acme\.test>$/)
  const message = await arrivedAt('visitor@inbox.test')
  assert.equal(message.headers['message-id'], body.message_id)
  assert.deepEqual(message.authentication, { spf: 'pass', dkim: 'pass', dmarc: 'pass' })
})

const EMAIL = 'value_error.email'

// biome-ignore format: a table
const REFUSED: readonly [recipient: unknown, type: string][] = [
  ['', EMAIL], [' ', EMAIL], ['kim', EMAIL], ['@inbox.test', EMAIL], ['kim@', EMAIL], ['kim@inbox', EMAIL], ['kim@@inbox.test', EMAIL], ['a@b@inbox.test', EMAIL],
  ['kim@.test', EMAIL], ['kim@inbox..test', EMAIL], ['kim@-inbox.test', EMAIL], ['kim@inbox-.test', EMAIL], ['.kim@inbox.test', EMAIL], ['k..m@inbox.test', EMAIL], ['kim.@inbox.test', EMAIL],
  ['Kim <kim@inbox.test>', EMAIL], ['<kim@inbox.test>', EMAIL], ['kim@inbox.test, ann@inbox.test', EMAIL], ['kim@inbox.test ann@inbox.test', EMAIL], ['mailto:kim@inbox.test', EMAIL],
  [' kim@inbox.test', EMAIL], ['kim@inbox.test ', EMAIL], ['k im@inbox.test', EMAIL], ['kim@in box.test', EMAIL], ['"k im"@inbox.test', EMAIL],
  ['kim@inbox.test\r\nBcc: victim@inbox.test', EMAIL], ['kim\n@inbox.test', EMAIL], ['kim@inbox.test\u0000', EMAIL], ['kim@inbox.test>\r\nDATA\r\n', EMAIL], ['kim@inbox.test> SIZE=1', EMAIL],
  ['kim@[127.0.0.1]', EMAIL], ['kim@127.0.0.1:25', EMAIL], ['kim@inbox.test:25', EMAIL], ['kim@inbox_x.test', EMAIL], ['kïm@inbox.test', EMAIL], ['kim@bücher.test', EMAIL],
  [`${'a'.repeat(65)}@inbox.test`, EMAIL], [`kim@${'a'.repeat(64)}.test`, EMAIL],
  [`kim@${'a.'.repeat(130)}test`, 'value_error.any_str.max_length'],
  [1, 'type_error.str'], [null, 'type_error.str'], [['kim@inbox.test'], 'type_error.str'], [{ address: 'kim@inbox.test' }, 'type_error.str'],
]

for (const [recipient, type] of REFUSED) {
  test(`no recipient: ${JSON.stringify(recipient).slice(0, 50)}`, async () => {
    const answer = await send(recipient)
    // An address that is too long is also no address.
    if (answer.body.detail?.length > 1) answer.body.detail.pop()
    violates(answer, ['body', 'recipient_email'], type)
  })
}

test('a recipient is wanted, and an inbox that is there', async () => {
  const path = `/sender-accounts/${kim.inbox_id}/test-email`
  violates(await client.post(path, {}), ['body', 'recipient_email'], 'value_error.missing')
  violates(await client.post(path), ['body'], 'value_error.missing')
  refuses(await send('kim@inbox.test', UNKNOWN_ID), 404, 'sender_account_not_found')
  refuses(await send('kim@inbox.test', domain_id), 404, 'sender_account_not_found')
  violates(await send('kim@inbox.test', 'x'), ['path', 'inbox_id'], 'value_error.uuid')
})

// biome-ignore format: a table
const DISPLAY_NAMES = ['Kim <ceo@bank.test>', 'ceo@bank.test', 'Kim, ceo@bank.test', '"Kim" <ceo@bank.test>,', '\\"', 'Zoë', '金', '🙂', '=?utf-8?q?ceo=40bank.test?=', "K'im (boss)", 'K'.repeat(255)]

for (const [index, displayName] of DISPLAY_NAMES.entries()) {
  test(`whatever the display name says, the author is the inbox: ${displayName.slice(0, 40)}`, async () => {
    const inbox = await addInbox(`named${index}`, displayName)
    assert.equal((await send(`named${index}@inbox.test`, inbox.inbox_id)).status, 200)
    const message = await arrivedAt(`named${index}@inbox.test`)
    assert.equal(message.from, inbox.email_address)
    assert.equal(message.authentication.dmarc, 'pass')
    assert.ok(!('bcc' in message.headers))
  })
}

test('a domain that is not active any more sends nothing', async () => {
  const { status, reason } = conditionOf(await detailsNow(), 'mail_domain_ready')
  assert.deepEqual([status, reason], ['met', null])
  await setDomain({ status: 'FAILED' })
  const answer = await send('no@inbox.test')
  refuses(answer, 409, 'domain_not_active')
  assert.equal(answer.body.domain_status, 'FAILED')
  await setDomain({ status: 'ACTIVE' })
})

// biome-ignore format: a table
const STOPPED: readonly [reason: string, condition: object][] = [
  ['delegation_not_seen_lately', { last_look_at: new Date(Date.now() - 61 * 60_000) }],
  ['delegation_lost',            { verdict: 'waiting', reason: 'elsewhere', message: 'Gone.' }],
]

for (const [reason, condition] of STOPPED) {
  test(`an active domain sends nothing while its delegation is in doubt: ${reason}`, async () => {
    const before = await delegatedRow()
    await setDelegated(condition)
    // A whole look that was taken since would count.
    await setDomain({ looked_at: null })
    assert.deepEqual((await detailsNow()).sending, { allowed: false, reason })
    const answer = await send('no@inbox.test')
    refuses(answer, 409, 'sending_stopped')
    assert.equal(answer.body.reason, reason)
    await setDelegated({ ...before, last_look_at: new Date() })
    assert.equal((await send('yes@inbox.test')).status, 200)
  })
}

for (const outcome of ['unavailable', 'throttled', 'rejected']) {
  test(`a sender that is ${outcome} is told of by a code of its own`, async () => {
    await client.misbehave('acme.test', 'mail_proven', outcome)
    const { status, body } = await send('no@inbox.test')
    assert.ok(status >= 400, 'it was not sent')
    assert.notEqual(body.error, 'internal', JSON.stringify(body))
    assert.equal(typeof body.detail, 'string')
  })
}

test('a sender that is slow is waited for', async () => {
  await client.misbehave('acme.test', 'mail_proven', 'slow')
  assert.equal((await send('slowly@inbox.test')).status, 200)
})

test('none of the messages refused has arrived anywhere', async () => {
  await arrivedAt('slowly@inbox.test')
  for (const address of [
    'no@inbox.test',
    'victim@inbox.test',
    'kim@inbox.test',
    'ann@inbox.test',
  ]) {
    const { body } = await client.sandbox('GET', `/mail?to=${address}`)
    assert.deepEqual(body.messages, [], address)
  }
})

test('what only becomes ASCII in small letters is no recipient either', async () => {
  for (const recipient of ['\u212aelvin@inbox.test', 'kim@\u212aelvin.test'])
    violates(await send(recipient), ['body', 'recipient_email'], EMAIL)
})

async function detailsNow(): Promise<Json> {
  return (await client.get(`/domains/${domain_id}`)).body
}

function setDomain(values: { status?: 'ACTIVE' | 'FAILED'; looked_at?: null }) {
  return store.db.updateTable('domains').set(values).where('id', '=', domain_id).execute()
}

function delegatedRow() {
  return store.db
    .selectFrom('conditions')
    .select(['verdict', 'reason', 'message'])
    .where('domain_id', '=', domain_id)
    .where('type', '=', 'delegated')
    .executeTakeFirstOrThrow()
}

function setDelegated(values: object) {
  return store.db
    .updateTable('conditions')
    .set(values)
    .where('domain_id', '=', domain_id)
    .where('type', '=', 'delegated')
    .execute()
}
