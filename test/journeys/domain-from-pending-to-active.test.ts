import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { conditionOf, until } from '../client.ts'
import { ask } from '../dns.ts'
import { testHouse } from '../house.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house

test('a domain goes from its name to ACTIVE, and its inbox sends and receives', async () => {
  const { status, body: added } = await client.post('/domains', { domain: 'Acme.TEST.' })
  assert.equal(status, 201)
  assert.equal(added.domain_name, 'acme.test')
  assert.equal(added.status, 'DNS_PENDING')
  assert.equal(added.nameservers.length, 2)

  const waiting = (await client.get(`/domains/${added.domain_id}/progress`)).body
  assert.equal(waiting.status, 'IN_PROGRESS')
  assert.equal(waiting.is_complete, false)

  await client.delegate('acme.test', added.nameservers)
  const active = await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
  assert.ok(active.conditions.every((condition: { status: string }) => condition.status === 'met'))
  assert.equal(active.delegation.verdict, 'delegated')
  assert.deepEqual(active.delegation.observed, added.nameservers)
  assert.deepEqual(active.sending, { allowed: true, reason: null })
  assert.ok(active.dns_records.every((record: { status: string }) => record.status === 'published'))
  assert.deepEqual(
    active.dns_records.map((record: { purpose: string }) => record.purpose).toSorted(),
    ['bounce', 'bounce', 'dkim', 'dmarc', 'mx', 'spf'],
  )
  const done = (await client.get(`/domains/${added.domain_id}/progress`)).body
  assert.equal(done.status, 'COMPLETED')
  assert.equal(done.progress_percentage, 100)
  assert.equal(done.is_complete, true)

  const mx = await ask(house.dns, 'acme.test', 'MX')
  assert.equal(mx.flag_aa, true)
  assert.deepEqual(
    mx.answers.map(({ data }) => data),
    [{ preference: 10, exchange: 'mx.mailstead.test' }],
  )

  const inbox = await client.post('/sender-accounts/coldsend-native', {
    domain_id: added.domain_id,
    email_prefix: 'Kim',
    display_name: 'Kim Lee',
  })
  assert.equal(inbox.status, 201)
  assert.equal(inbox.body.email_address, 'kim@acme.test')
  assert.equal(inbox.body.overall_status, 'ACTIVE')

  const sent = await client.post(`/sender-accounts/${inbox.body.inbox_id}/test-email`, {
    recipient_email: 'visitor@inbox.test',
  })
  assert.equal(sent.status, 200)
  const { messages } = await until(
    async () => (await client.sandbox('GET', '/mail?to=visitor@inbox.test')).body,
    (seen) => seen.messages.length > 0,
  )
  assert.deepEqual(messages[0].authentication, { spf: 'pass', dkim: 'pass', dmarc: 'pass' })
  assert.equal(messages[0].from, 'kim@acme.test')

  const mail = {
    from: 'lead@inbox.test',
    to: 'kim@acme.test',
    subject: 'Hello',
    text: 'Is this on?',
  }
  assert.equal((await client.sandbox('POST', '/mail', mail)).status, 202)
  const replies = (await client.get('/replies')).body
  assert.equal(replies.total_count, 1)
  assert.equal(replies.unread_count, 1)
  assert.equal(replies.conversations[0].lead_email, 'lead@inbox.test')
  assert.equal(replies.conversations[0].last_message_preview, 'Is this on?')
})

test('with auto_activate off, the mail services wait for a word', async () => {
  const { body: added } = await client.post('/domains', {
    domain: 'patient.test',
    auto_activate: false,
  })
  await client.delegate('patient.test', added.nameservers)
  const seen = await client.untilDomain(
    added.domain_id,
    ({ delegation }) => delegation?.verdict === 'delegated',
  )
  assert.equal(seen.status, 'DNS_PENDING')
  assert.equal(conditionOf(seen, 'delegated').reason, 'awaiting_activation')
  const activated = await client.post(`/domains/${added.domain_id}/activate`)
  assert.equal(activated.status, 200)
  assert.equal(activated.body.dns_verified, true)
  await client.untilDomain(added.domain_id, ({ status }) => status === 'ACTIVE')
})
