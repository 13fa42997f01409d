/** Inboxes at other providers: their log-ins are tried, kept sealed, and shown to nobody. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { type Answer, type Json, until } from '../client.ts'
import {
  BAD_HOST,
  badServer,
  certificate,
  dovecot,
  HOST,
  hasDovecot,
  LOG_IN,
  smtpProvider,
} from '../elsewhere.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { missing } from '../needs.ts'
import { refuses, violates } from './expect.ts'

const skip = missing('Dovecot', hasDovecot)
const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())
const house = opened.use(await testHouse())
const { client, store, logLines } = house
const smtp = opened.use(await smtpProvider(1587))
if (!skip) opened.use(await dovecot(await certificate()))

const WRONG = 'a password that is wrong'
const whole = (changes: object = {}) => ({
  email_address: 'Kim@Elsewhere.example',
  display_name: 'Kim Lee',
  inbox_type: 'CUSTOM_SMTP',
  smtp_host: HOST,
  smtp_port: 1587,
  smtp_username: LOG_IN.username,
  smtp_password: LOG_IN.password,
  imap_host: HOST,
  imap_port: 1993,
  imap_username: LOG_IN.username,
  imap_password: LOG_IN.password,
  ...changes,
})
const add = (changes: object = {}): Promise<Answer> =>
  client.post('/sender-accounts/smtp', whole(changes))
const put = (id: string, body: object) =>
  client.request('PUT', `/api/public/v1/sender-accounts/${id}`, body)

function failed(answer: Answer, protocol: string, reason: string): void {
  refuses(answer, 400, 'connection_failed')
  assert.deepEqual([answer.body.protocol, answer.body.reason], [protocol, reason])
}

/** Adds an inbox for a while. */
async function added(changes: object = {}): Promise<Json & AsyncDisposable> {
  const { status, body } = await add(changes)
  assert.equal(status, 201, JSON.stringify(body))
  return {
    ...body,
    [Symbol.asyncDispose]: async () =>
      void (await client.delete(`/sender-accounts/${body.inbox_id}`)),
  }
}

test('both log-ins work, and the inbox is there without a domain', { skip }, async () => {
  await using inbox = await added()
  assert.deepEqual(
    [inbox.email_address, inbox.inbox_type, inbox.overall_status, inbox.domain_id],
    ['kim@elsewhere.example', 'CUSTOM_SMTP', 'ACTIVE', null],
  )
  assert.equal(inbox.daily_limit, 100)
  assert.equal(smtp.attempts.at(-1), 'with TLS')
  const { body: shown } = await client.get(`/sender-accounts/${inbox.inbox_id}`)
  assert.deepEqual(
    [shown.inbox_id, shown.display_name, shown.domain_id],
    [inbox.inbox_id, 'Kim Lee', null],
  )
  const { body: list } = await client.get('/sender-accounts?inbox_type=CUSTOM_SMTP')
  assert.equal(list.sender_accounts.length, 1)
})

test('IMAP by STARTTLS works as well', { skip }, async () => {
  await using inbox = await added({ imap_port: 1143, daily_limit: 7, inbox_type: 'OUTLOOK_365' })
  assert.deepEqual([inbox.daily_limit, inbox.inbox_type], [7, 'OUTLOOK_365'])
})

test('it is changed, paused, resumed and deleted like any other inbox', { skip }, async () => {
  await using inbox = await added()
  const one = `/sender-accounts/${inbox.inbox_id}`
  const { body: changed } = await put(inbox.inbox_id, { display_name: 'Kim', daily_limit: 3 })
  assert.deepEqual([changed.display_name, changed.daily_limit], ['Kim', 3])
  assert.equal((await client.post(`${one}/pause`)).body.overall_status, 'PAUSED')
  assert.equal((await client.post(`${one}/resume`)).body.overall_status, 'ACTIVE')
  const { body: health } = await client.get(`${one}/health`)
  assert.deepEqual(
    [health.daily_limit, health.sent_last_24_hours, health.remaining, health.authentication],
    [3, 0, 3, null],
  )
  assert.equal((await client.delete(one)).status, 200)
  refuses(await client.get(one), 404, 'sender_account_not_found')
  const kept = await store.db.selectFrom('smtp_accounts').selectAll().execute()
  assert.deepEqual(kept, [], 'the log-ins are forgotten at once')
})

test('its log-ins are not changed by a change of the inbox', { skip }, async () => {
  await using inbox = await added()
  await put(inbox.inbox_id, { display_name: 'Kim', smtp_password: WRONG, smtp_host: '10.0.0.1' })
  const { body } = await client.post(`/sender-accounts/${inbox.inbox_id}/test`)
  assert.equal(body.works, true)
})

test('its test tries both log-ins now, and says which one fails', { skip }, async () => {
  await using inbox = await added()
  const tried = async () => (await client.post(`/sender-accounts/${inbox.inbox_id}/test`)).body
  const good = await tried()
  assert.equal(good.works, true)
  assert.deepEqual(
    good.checks.map(({ check, passed }: Json) => [check, passed]),
    [
      ['inbox', true],
      ['smtp', true],
      ['imap', true],
    ],
  )
  smtp.refuses.code = 535
  const bad = await tried()
  smtp.refuses.code = undefined
  assert.equal(bad.works, false)
  const [, check] = bad.checks
  assert.deepEqual([check.check, check.passed], ['smtp', false])
  assert.match(check.message, /log_in_rejected/)
})

test('an address is there once in a workspace, and another workspace may have it too', {
  skip,
}, async () => {
  await using _inbox = await added()
  refuses(await add({ email_address: 'KIM@elsewhere.example' }), 409, 'inbox_exists')
  const other = await house.clientOf({ workspace: anotherWorkspace() })
  assert.equal((await other.post('/sender-accounts/smtp', whole())).status, 201)
})

test('of two additions at once, one wins', { skip }, async () => {
  const answers = await Promise.all([add(), add()])
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [201, 409])
  const { inbox_id } = answers.find(({ status }) => status === 201)!.body
  await client.delete(`/sender-accounts/${inbox_id}`)
})

test('it has no app passwords here, is in no export, and sends nothing yet', { skip }, async () => {
  await using inbox = await added()
  const one = `/sender-accounts/${inbox.inbox_id}`
  refuses(await client.post(`${one}/app-passwords`, { name: 'Phone' }), 409, 'inbox_is_elsewhere')
  const send = await client.post(`${one}/test-email`, { recipient_email: 'ann@inbox.test' })
  refuses(send, 409, 'inbox_is_elsewhere')
  const exported = await fetch(`${client.base}/api/public/v1/sender-accounts/export`, {
    method: 'POST',
    headers: { 'x-api-key': client.key!, 'content-type': 'application/json' },
    body: JSON.stringify({ inbox_ids: [inbox.inbox_id] }),
  })
  assert.equal((await exported.text()).trim().split('\n').length, 1, 'the heading alone')
})

// biome-ignore format: a table
const REFUSED: readonly [what: string, changes: object, protocol: string, reason: string][] = [
  ['a wrong password for SMTP',            { smtp_password: WRONG },                    'smtp', 'log_in_rejected'],
  ['a wrong name for SMTP',                { smtp_username: 'nobody' },                 'smtp', 'log_in_rejected'],
  ['no server for SMTP',                   { smtp_port: 1465 },                         'smtp', 'refused'],
  ['a port of SSH',                        { smtp_port: 22 },                           'smtp', 'not_allowed'],
  ['a port of Postgres',                   { smtp_port: 5432 },                         'smtp', 'not_allowed'],
  ['a port of IMAP, for SMTP',             { smtp_port: 1143 },                         'smtp', 'not_allowed'],
  ['the port of mail exchangers',          { smtp_port: 25 },                           'smtp', 'not_allowed'],
  ['an address that is public',            { smtp_host: '8.8.8.8' },                    'smtp', 'not_allowed'],
  ['an address of a private network',      { smtp_host: '10.0.0.1' },                   'smtp', 'not_allowed'],
  ['where clouds keep their secrets',      { smtp_host: '169.254.169.254' },            'smtp', 'not_allowed'],
  ['IPv6 of a private network',            { smtp_host: 'fd00::1' },                    'smtp', 'not_allowed'],
  ['an address written as a number',       { smtp_host: '2130706433' },                 'smtp', 'refused'],
  ['an address written in hexadecimal',    { smtp_host: '0x7f.1' },                     'smtp', 'refused'],
  ['a name that is not there',             { smtp_host: 'nothing-here.test' },          'smtp', 'refused'],
]

for (const [what, changes, protocol, reason] of REFUSED)
  test(`refused: ${what}`, async () => failed(await add(changes), protocol, reason))

test('a wrong password for IMAP is told as such', { skip }, async () => {
  failed(await add({ imap_password: WRONG }), 'imap', 'log_in_rejected')
})

test('a port that is not of IMAP, and nobody at one that is', async () => {
  failed(await add({ imap_port: 22 }), 'imap', 'not_allowed')
  failed(await add({ imap_host: '127.0.0.77' }), 'imap', 'refused')
})

test('a name that points at a private address is refused, and nothing is connected', async () => {
  const { domain_id } = await client.addActive('rebinding.test')
  const record = { name: 'mail', type: 'A', value: '10.1.2.3' }
  const { status } = await client.post(`/domains/${domain_id}/records`, record)
  assert.equal(status, 201)
  const answer = await until(
    () => add({ smtp_host: 'mail.rebinding.test' }),
    ({ body }) => body.reason !== 'refused',
  )
  failed(answer, 'smtp', 'not_allowed')
})

test('a server that is busy says nothing about the password', async () => {
  smtp.refuses.code = 454
  failed(await add(), 'smtp', 'refused')
  smtp.refuses.code = undefined
})

test('a server without TLS gets the password only where that was asked for', async () => {
  let heard = ''
  await using _bare = await badServer(1587, (socket) => {
    socket.write('220 hello\r\n')
    socket.on('data', (line) => {
      heard += line
      const reply = /^EHLO/i.test(`${line}`) ? '250-hello\r\n250 AUTH PLAIN' : '535 no'
      socket.write(`${reply}\r\n`)
    })
  })
  failed(await add({ smtp_host: BAD_HOST }), 'smtp', 'refused')
  assert.match(heard, /EHLO/)
  assert.doesNotMatch(heard, /AUTH/)
  failed(await add({ smtp_host: BAD_HOST, smtp_use_tls: false }), 'smtp', 'log_in_rejected')
  assert.match(heard, /AUTH/)
})

test('nor does one without TLS for IMAP', async () => {
  let heard = ''
  await using _bare = await badServer(1143, (socket) => {
    socket.write('* OK hello\r\n')
    socket.on('data', (line) => {
      heard += line
      const [tag] = `${line}`.split(' ')
      socket.write(`* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n${tag} OK done\r\n`)
    })
  })
  failed(await add({ imap_host: BAD_HOST, imap_port: 1143 }), 'imap', 'refused')
  assert.match(heard, /CAPABILITY/)
  assert.doesNotMatch(heard, /AUTHENTICATE|LOGIN/)
})

// biome-ignore format: a table
const BAD: readonly [what: string, greet: Parameters<typeof badServer>[1], reason: RegExp][] = [
  ['says nothing',         () => {},                                                   /^timed_out$/],
  ['closes at once',       (socket) => socket.end(),                                   /^refused$/],
  ['answers garbage',      (socket) => socket.write('\u0000\u00ff garbage\r\n\r\n'),   /^(refused|timed_out)$/],
  ['never ends its line',  (socket) => flood(socket, 'x'.repeat(65_536)),              /^(refused|timed_out)$/],
  ['never ends its reply', (socket) => flood(socket, '220-more\r\n* OK more\r\n'.repeat(500)), /^(refused|timed_out)$/],
  ['is a web server',      (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), /^refused$/],
]

function flood(socket: import('node:net').Socket, chunk: string): void {
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  }
  socket.on('drain', more)
  more()
}

for (const [what, greet, reason] of BAD) {
  test(`a server that ${what}`, async () => {
    await using bad = await badServer(2525, greet)
    await using badImap = await badServer(1143, greet)
    const begun = performance.now()
    const bySmtp = await add({ smtp_host: BAD_HOST, smtp_port: 2525 })
    refuses(bySmtp, 400, 'connection_failed')
    assert.equal(bySmtp.body.protocol, 'smtp')
    assert.match(bySmtp.body.reason, reason)
    const byImap = await add({ imap_host: BAD_HOST, imap_port: 1143 })
    refuses(byImap, 400, 'connection_failed')
    assert.equal(byImap.body.protocol, 'imap')
    assert.match(byImap.body.reason, reason)
    assert.ok(performance.now() - begun < 25_000)
    assert.deepEqual([bad.connections, badImap.connections], [1, 1])
  })
}

// biome-ignore format: a table
const INVALID: readonly [field: string, value: unknown][] = [
  ['email_address', 'kim'], ['email_address', 'kim@localhost'], ['display_name', 'Kim\r\nBcc: x@y.example'], ['display_name', ''],
  ['inbox_type', 'COLDSEND_NATIVE'], ['smtp_host', ''], ['smtp_host', 'a b'], ['smtp_host', 'host:25'], ['smtp_host', 'http://host/'],
  ['smtp_host', 'host\r\nQUIT'], ['smtp_host', 'host\u0000'], ['imap_host', '-'], ['imap_host', `${'a'.repeat(64)}.example`],
  ['smtp_port', 0], ['smtp_port', 65_536], ['smtp_port', '587'], ['smtp_port', 1.5], ['imap_port', -1], ['smtp_username', ''],
  ['smtp_password', 'a\r\nb'], ['smtp_password', 'a\u0000'], ['imap_password', '\ud800'], ['imap_password', 'a'.repeat(1025)],
  ['daily_limit', -1], ['daily_limit', 100_001], ['smtp_use_tls', 'yes'], ['imap_use_ssl', 1],
]

for (const [field, value] of INVALID)
  test(`not valid: ${field} ${JSON.stringify(value).slice(0, 40)}`, async () => {
    const answer = await add({ [field]: value })
    assert.equal(answer.status, 422)
    const [{ type }] = answer.body.detail
    violates(answer, ['body', field], type)
  })

test('credentials are in no log, no event, and no row as they are', { skip }, async () => {
  await using inbox = await added()
  const { body: events } = await client.get('/events?limit=100')
  const rows = await sql`select a::text from smtp_accounts a union all select i::text from inboxes i
    union all select e::text from events e`.execute(store.db)
  const everything = [...logLines, JSON.stringify([inbox, events]), JSON.stringify(rows.rows)].join(
    '\n',
  )
  for (const secret of [LOG_IN.password, WRONG, 'battery'])
    assert.ok(!everything.includes(secret), secret)
})
