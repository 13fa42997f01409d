import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { newId } from '../../src/ids.ts'
import { type Json, until } from '../client.ts'
import { testHouse } from '../house.ts'
import { hasFields, isInstant, isNotOurFault, refuses, troubleIn, violates } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const { domain_id } = await client.addActive('acme.test')
const inbox: Json = (
  await client.post('/sender-accounts/coldsend-native', {
    domain_id,
    email_prefix: 'kim',
    display_name: 'Kim',
  })
).body

const outcome = (domain: string, body: unknown) =>
  client.sandbox('PUT', `/outcomes/${domain}`, body)
const endOutcome = (domain: string) => client.sandbox('DELETE', `/outcomes/${domain}`)
const mail = (fields: object) =>
  client.sandbox('POST', '/mail', { from: 'lead@inbox.test', to: 'kim@acme.test', ...fields })

// --- Outcomes

test('an outcome is answered as it was asked for, once unless told otherwise, and can be ended', async () => {
  const { status, body } = await outcome('acme.test', { stage: 'delegated', outcome: 'slow' })
  assert.equal(status, 200)
  assert.deepEqual(body, { domain: 'acme.test', stage: 'delegated', outcome: 'slow', times: 1 })
  assert.equal((await endOutcome('acme.test')).status, 200)
  refuses(await endOutcome('acme.test'), 404, 'outcome_not_found')
  refuses(await endOutcome('never.test'), 404, 'outcome_not_found')
})

const GOOD = { stage: 'zone_ready', outcome: 'slow', times: 1 }

// biome-ignore format: a table
const BAD_OUTCOMES: readonly [body: unknown, loc: string[], type: string][] = [
  [{ outcome: 'slow' },            ['body', 'stage'],   'value_error.missing'],
  [{ stage: 'zone_ready' },        ['body', 'outcome'], 'value_error.missing'],
  [{ ...GOOD, stage: 'ACTIVE' },   ['body', 'stage'],   'type_error.enum'],
  [{ ...GOOD, stage: 'constructor' }, ['body', 'stage'], 'type_error.enum'],
  [{ ...GOOD, stage: 1 },          ['body', 'stage'],   'type_error.enum'],
  [{ ...GOOD, outcome: 'fine' },   ['body', 'outcome'], 'type_error.enum'],
  [{ ...GOOD, outcome: 'SLOW' },   ['body', 'outcome'], 'type_error.enum'],
  [{ ...GOOD, times: 0 },          ['body', 'times'],   'value_error.number.not_ge'],
  [{ ...GOOD, times: -1 },         ['body', 'times'],   'value_error.number.not_ge'],
  [{ ...GOOD, times: 1_000_001 },  ['body', 'times'],   'value_error.number.not_le'],
  [{ ...GOOD, times: 1.5 },        ['body', 'times'],   'type_error.integer'],
  [{ ...GOOD, times: '2' },        ['body', 'times'],   'type_error.integer'],
  [{ ...GOOD, times: null },       ['body', 'times'],   'type_error.integer'],
  [[],                             ['body'],            'type_error.dict'],
]

for (const [body, loc, type] of BAD_OUTCOMES) {
  test(`no outcome: ${JSON.stringify(body)}`, async () => {
    violates(await outcome('bad.test', body), loc, type)
    refuses(await endOutcome('bad.test'), 404, 'outcome_not_found')
  })
}

// biome-ignore format: a table
const MISBEHAVIOURS: readonly [outcome: string, times: number][] = [['throttled', 2], ['unavailable', 2], ['slow', 1]]

for (const [kind, times] of MISBEHAVIOURS) {
  test(`a domain gets over a stage that is ${kind}, ${times} times`, async () => {
    const name = `${kind}.example`
    await client.misbehave(name, 'mail_domain_ready', kind, times)
    await client.addActive(name)
    const left = await store.db
      .selectFrom('sandbox_outcomes')
      .select('times_left')
      .where('name', '=', name)
      .executeTakeFirst()
    assert.equal(left?.times_left ?? 0, 0)
  })
}

// --- Mail

test('mail from outside arrives at a hosted inbox: 202', async () => {
  const { status, body } = await mail({ subject: 'Hello', text: 'Hi' })
  assert.equal(status, 202)
  assert.deepEqual([body.success, body.from, body.to], [true, 'lead@inbox.test', 'kim@acme.test'])
})

// biome-ignore format: a table
const NOT_TAKEN: readonly [what: string, to: string, reply: RegExp][] = [
  ['an address nobody has',     'nobody@acme.test',       /^550 5\.1\.1 /],
  ['a domain nobody has',       'kim@nowhere.test',       /./],
  ['an address that refuses',   'x@bounces.test',         /^550 5\.1\.1 /],
  ['an address that puts off',  'x@defers.test',          /^451 4\.2\.0 /],
  ['a probe nobody expects',    'x@probe.mx.mailstead.test', /./],
]

for (const [what, to, reply] of NOT_TAKEN) {
  test(`mail that is not taken is told of, with the reply: ${what}`, async () => {
    const answer = await mail({ to })
    refuses(answer, 409, 'mail_not_taken')
    assert.match(answer.body.reply, reply)
  })
}

const EMAIL = 'value_error.email'

// biome-ignore format: a table
const BAD_MAIL: readonly [fields: object, loc: string[], type: string][] = [
  [{ from: undefined },                          ['body', 'from'],      'value_error.missing'],
  [{ to: undefined },                            ['body', 'to'],        'value_error.missing'],
  [{ from: 'lead' },                             ['body', 'from'],      EMAIL],
  [{ to: 'kim@acme.test, ann@acme.test' },       ['body', 'to'],        EMAIL],
  [{ to: 'kim@acme.test>\r\nRCPT TO:<x@y.test' }, ['body', 'to'],       EMAIL],
  [{ from: 'ceo@bank.example' },                 ['body', 'from'],      EMAIL],
  [{ from: 'kim@acme.test', authentic: true },   ['body', 'from'],      EMAIL],
  [{ from: 'x@sub.inbox.test' },                 ['body', 'from'],      EMAIL],
  [{ subject: 'Hi\r\nBcc: x@inbox.test' },       ['body', 'subject'],   'value_error.str.regex'],
  [{ subject: 'Hi\u0000' },                      ['body', 'subject'],   'value_error.str.regex'],
  [{ subject: 'x'.repeat(999) },                 ['body', 'subject'],   'value_error.any_str.max_length'],
  [{ subject: 1 },                               ['body', 'subject'],   'type_error.str'],
  [{ text: ['x'] },                              ['body', 'text'],      'type_error.str'],
  [{ text: 'x'.repeat(1_000_001) },              ['body', 'text'],      'value_error.any_str.max_length'],
  [{ authentic: 'yes' },                         ['body', 'authentic'], 'type_error.bool'],
]

for (const [fields, loc, type] of BAD_MAIL) {
  test(`no mail: ${JSON.stringify(fields).slice(0, 60)}`, async () => {
    violates(await mail(fields), loc, type)
  })
}

test('only what arrived at an address is shown for it, however it is written', async () => {
  for (const to of ['first@inbox.test', 'second@inbox.test'])
    await client.post(`/sender-accounts/${inbox.inbox_id}/test-email`, { recipient_email: to })
  const { messages } = await until(
    async () => (await client.sandbox('GET', '/mail?to=FIRST@Inbox.test')).body,
    (body) => body.messages.length > 0,
  )
  assert.equal(messages.length, 1)
  hasFields(messages[0], 'from to subject text headers authentication received_at')
  assert.deepEqual([messages[0].from, messages[0].to], ['kim@acme.test', 'first@inbox.test'])
  isInstant(messages[0].received_at)
  assert.deepEqual((await client.sandbox('GET', '/mail?to=nobody@inbox.test')).body, {
    messages: [],
  })
})

test('whose mail is wanted must be said', async () => {
  violates(await client.sandbox('GET', '/mail'), ['query', 'to'], 'value_error.missing')
  for (const to of ['', 'x', '%25@inbox.test%20', 'a@inbox.test,b@inbox.test'])
    violates(await client.sandbox('GET', `/mail?to=${to}`), ['query', 'to'], EMAIL)
})

// biome-ignore format: a table
const DELIVERIES: readonly [recipient: string, state: string, reply: RegExp][] = [
  ['visitor@inbox.test',  'sent',      /^250 /],
  ['anyone@bounces.test', 'failed',    /^550 5\.1\.1 /],
  ['anyone@defers.test',  'deferred',  /^451 4\.2\.0 /],
  ['anyone@nowhere.test', 'failed',    /./],
  ['anyone@gmail.com',    'failed',    /./],
]

for (const [recipient, state, reply] of DELIVERIES) {
  test(`what is sent to ${recipient} ends up ${state}, and nothing leaves the sandbox`, async () => {
    const path = `/sender-accounts/${inbox.inbox_id}/test-email`
    assert.equal((await client.post(path, { recipient_email: recipient })).status, 200)
    const row = await until(
      () =>
        store.db
          .selectFrom('outgoing_messages')
          .select(['state', 'last_reply'])
          .where('recipient', '=', recipient)
          .executeTakeFirstOrThrow(),
      ({ last_reply }) => last_reply !== '',
    )
    assert.equal(row.state, state, row.last_reply)
    assert.match(row.last_reply, reply)
  })
}

test('no name in a path of the sandbox makes it fail', async () => {
  const names = [
    '%ff',
    '%f0%9f%98%80.test',
    '__proto__',
    'a'.repeat(250),
    '.',
    '%2e%2e',
    "'",
    '%25',
  ]
  for (const name of names) {
    isNotOurFault(await client.sandbox('GET', `/registrar/${name}/nameservers`), name)
    isNotOurFault(await outcome(name, GOOD), name)
    isNotOurFault(await endOutcome(name), name)
  }
})

test('after all these, nothing was our fault', () => {
  assert.deepEqual(troubleIn(house.logLines), [])
})

test('an outcome is for a domain name', async () => {
  for (const name of ['%00', 'a%00.test', 'not%20a%20name', 'acme', 'a_b.test'])
    violates(await outcome(name, GOOD), ['path', 'domain'], 'value_error.domain')
})

test('a name written otherwise is the same name', async () => {
  await outcome('Written.TEST.', { stage: 'zone_ready', outcome: 'rejected' })
  const { body: added } = await client.post('/domains', { domain: 'written.test' })
  const seen = await client.untilDomain(
    added.domain_id,
    ({ status }) => status !== 'DNS_CONFIGURING',
  )
  assert.equal(seen.status, 'FAILED')
})

const NONE = { result: 'none', domain: '', aligned: false }
const NOT_JUDGED = { spf: NONE, dkim: NONE, dmarc: { result: 'none', policy: 'none' }, header: '' }

test('of more messages than are shown, the latest are shown', async () => {
  const authentication = JSON.stringify(NOT_JUDGED) as never
  const rows = Array.from({ length: 120 }, (_, index) => ({
    id: newId(),
    envelope_sender: 'kim@acme.test',
    recipient: 'many@inbox.test',
    raw: Buffer.from(`Subject: message ${index}\r\n\r\n`),
    authentication,
    received_at: new Date(Date.now() + index),
  }))
  await store.db.insertInto('sandbox_messages').values(rows).execute()
  const { messages } = (await client.sandbox('GET', '/mail?to=many@inbox.test')).body
  assert.ok(messages.some(({ subject }: Json) => subject === 'message 119'))
})
