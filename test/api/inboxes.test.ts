import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type Json, until } from '../client.ts'
import { anotherWorkspace, testHouse } from '../house.ts'
import { hasFields, isInstant, refuses, tally, troubleIn, UNKNOWN_ID, violates } from './expect.ts'

const house = await testHouse({ MAILSTEAD_WAIT_MS: '2000' })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const { domain_id } = await client.addActive('acme.test')
const add = (fields: object) =>
  client.post('/sender-accounts/coldsend-native', {
    domain_id,
    email_prefix: 'kim',
    display_name: 'Kim Lee',
    ...fields,
  })
const list = async (query = '') => (await client.get(`/sender-accounts${query}`)).body
const setCapacity = (id: string, max: number) =>
  store.db.updateTable('domains').set({ max_inboxes: max }).where('id', '=', id).execute()

const ITEM = `success message inbox_id email_address display_name inbox_type daily_limit signature overall_status
  pause problem domain_id created_at`

test('an inbox is made in the shape of the contract', async () => {
  const { status, body } = await add({ email_prefix: 'First.Last+Tag' })
  assert.equal(status, 201)
  hasFields(body, `${ITEM} credentials`)
  const { inbox_id, message, created_at, credentials, ...rest } = body
  assert.deepEqual(rest, {
    success: true,
    email_address: 'first.last+tag@acme.test',
    display_name: 'Kim Lee',
    inbox_type: 'COLDSEND_NATIVE',
    daily_limit: 100,
    signature: '',
    overall_status: 'ACTIVE',
    problem: null,
    pause: null,
    domain_id,
  })
  assert.equal(credentials.username, 'first.last+tag@acme.test')
  assert.match(inbox_id, /^[0-9a-f-]{36}$/)
  isInstant(created_at)
  const [item] = (await list('?search=first.last')).sender_accounts
  hasFields(item, ITEM)
  assert.equal(item.inbox_id, inbox_id)
})

const PREFIX = 'value_error.email_prefix'
const EMPTY = 'value_error.any_str.min_length'
const LONG = 'value_error.any_str.max_length'
const NOT_TEXT = 'type_error.str'

// biome-ignore format: a table
const BAD_PREFIXES: readonly [prefix: unknown, type: string][] = [
  // Reserved: always there, or the platform's own, in whatever capitals.
  ['postmaster', PREFIX], ['Postmaster', PREFIX], ['POSTMASTER', PREFIX], ['abuse', PREFIX], ['ABUSE', PREFIX], ['hostmaster', PREFIX],
  ['mailer-daemon', PREFIX], ['MAILER-DAEMON', PREFIX], ['bounce', PREFIX], ['dmarc', PREFIX], ['dmarc-0123456789ab', PREFIX], ['DMARC-x', PREFIX],
  // No Dot-string of RFC 5321 section 4.1.2.
  ['.', PREFIX], ['.kim', PREFIX], ['kim.', PREFIX], ['k..m', PREFIX], [' ', PREFIX], [' kim', PREFIX], ['kim ', PREFIX], ['k im', PREFIX],
  ['kim@acme.test', PREFIX], ['kim@', PREFIX], ['"kim"', PREFIX], ['"k im"', PREFIX], ['kim(x)', PREFIX], ['<kim>', PREFIX], ['kim,ann', PREFIX], ['kim;', PREFIX], ['kim:', PREFIX], ['k\\m', PREFIX], ['[kim]', PREFIX],
  ['kim\r\nBcc: x@inbox.test', PREFIX], ['kim\n', PREFIX], ['kim\t', PREFIX], ['kim\u0000', PREFIX], ['\u007f', PREFIX],
  ['kïm', PREFIX], ['金', PREFIX], ['kim\u200b', PREFIX], ['ｋｉｍ', PREFIX], ['🙂', PREFIX], ['\ud800', PREFIX],
  // Too short, too long, not text.
  ['', EMPTY], ['a'.repeat(65), LONG], ['a'.repeat(100_000), LONG],
  [1, NOT_TEXT], [null, NOT_TEXT], [['kim'], NOT_TEXT], [{}, NOT_TEXT],
]

for (const [prefix, type] of BAD_PREFIXES) {
  test(`no localpart for an inbox: ${JSON.stringify(prefix).slice(0, 40)}`, async () => {
    violates(await add({ email_prefix: prefix }), ['body', 'email_prefix'], type)
  })
}

const REGEX = 'value_error.str.regex'

// biome-ignore format: a table
const BAD_DISPLAY_NAMES: readonly [name: unknown, type: string][] = [
  ['Kim\r\nBcc: victim@inbox.test', REGEX], ['Kim\nX: y', REGEX], ['Kim\rX: y', REGEX], ['\r\n', REGEX], ['Kim\u0000', REGEX], ['\u001b[31mKim', REGEX], ['Kim\u0085', REGEX], ['Kim\u007f', REGEX], ['Kim\tLee', REGEX],
  ['', EMPTY], ['K'.repeat(256), LONG],
  [1, NOT_TEXT], [null, NOT_TEXT], [{ toString: 'x' }, NOT_TEXT],
]

for (const [name, type] of BAD_DISPLAY_NAMES) {
  test(`no display name: ${JSON.stringify(name).slice(0, 40)}`, async () => {
    violates(await add({ display_name: name }), ['body', 'display_name'], type)
  })
}

test('a domain id is a UUID', async () => {
  for (const id of ['', 'acme.test', '1', `${domain_id}x`])
    violates(await add({ domain_id: id }), ['body', 'domain_id'], 'value_error.uuid')
})

test('after all these, there is still one inbox, and nothing was our fault', async () => {
  assert.equal((await list()).pagination.total, 1)
  assert.deepEqual(troubleIn(house.logLines), [])
})

test('what only becomes ASCII in small letters is no localpart either', async () => {
  violates(await add({ email_prefix: '\u212aelvin' }), ['body', 'email_prefix'], PREFIX)
})

// biome-ignore format: a table
const GOOD_PREFIXES = ['a', '0', 'a.b', 'o\'neil', 'a+b', 'a_b', '-', '__proto__', 'constructor', 'postmaster1', 'no-reply', 'bounces', 'dmarc.x', '!#$%&*/=?^`{|}~', 'a'.repeat(64)]

for (const prefix of GOOD_PREFIXES) {
  test(`a good localpart: ${prefix}`, async () => {
    const { status, body } = await add({ email_prefix: prefix })
    assert.deepEqual([status, body.email_address], [201, `${prefix}@acme.test`])
  })
}

// biome-ignore format: a table
const GOOD_DISPLAY_NAMES = ['Kim', 'Kim "The" Lee', 'Lee, Kim', 'Kim <ceo@bank.test>', 'Zoë Müller', '金', '🙂', '\\', '=?utf-8?q?x?=', 'K'.repeat(255), "Robert'); drop table inboxes;--"]

for (const [index, name] of GOOD_DISPLAY_NAMES.entries()) {
  test(`a good display name, kept as it is: ${name.slice(0, 40)}`, async () => {
    const { body } = await add({ email_prefix: `named${index}`, display_name: name })
    assert.equal(body.display_name, name)
  })
}

test('an address is taken once, however it is written', async () => {
  assert.equal((await add({ email_prefix: 'taken' })).status, 201)
  for (const prefix of ['taken', 'TAKEN', 'Taken']) {
    const answer = await add({ email_prefix: prefix, display_name: 'Somebody Else' })
    refuses(answer, 409, 'inbox_exists')
  }
})

test('of fifty who want one address at once, one gets it', async () => {
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, index) => add({ email_prefix: index % 2 ? 'Rush' : 'rush' })),
  )
  assert.deepEqual(tally(answers), { 201: 1, 409: 49 })
})

test('a domain has no more inboxes than its capacity, and says how many that is', async () => {
  const small = await client.addActive('small.test')
  await setCapacity(small.domain_id, 1)
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      add({ domain_id: small.domain_id, email_prefix: `kim${index}` }),
    ),
  )
  assert.deepEqual(tally(answers), { 201: 1, 409: 19 })
  for (const answer of answers.filter(({ status }) => status === 409)) {
    refuses(answer, 409, 'inbox_capacity_reached')
    assert.deepEqual([answer.body.max_inboxes, answer.body.current_inboxes], [1, 1])
  }
  const { body } = await client.get(`/domains/${small.domain_id}`)
  assert.deepEqual(body.inbox_capacity, { max: 1, current: 1, available: 0 })
  await setCapacity(small.domain_id, 0)
  const { inbox_capacity } = (await client.get(`/domains/${small.domain_id}`)).body
  assert.deepEqual(inbox_capacity, { max: 0, current: 1, available: 0 })
})

test('a domain that is not active has no inboxes yet', async () => {
  const pending = (await client.post('/domains', { domain: 'pending.test' })).body
  await client.misbehave('failed.test', 'mail_domain_ready', 'rejected', 1000)
  const failed = await client.addDelegated('failed.test')
  await client.untilDomain(failed.domain_id, ({ status }) => status === 'FAILED')
  for (const { domain_id: id } of [pending, failed])
    refuses(await add({ domain_id: id }), 409, 'domain_not_active')
  assert.equal((await list('?search=failed')).pagination.total, 0)
})

test("a domain that is unknown, or another workspace's, is not found", async () => {
  const stranger = await house.clientOf({ workspace: anotherWorkspace() })
  const fields = { email_prefix: 'spy', display_name: 'Spy' }
  for (const id of [UNKNOWN_ID, domain_id]) {
    const answer = await stranger.post('/sender-accounts/coldsend-native', {
      domain_id: id,
      ...fields,
    })
    refuses(answer, 404, 'domain_not_found')
  }
  assert.equal((await list('?search=spy')).pagination.total, 0)
})

test('while the mailbox service does not answer, the inbox is PENDING, and ACTIVE when it does', async () => {
  const { domain_id: id } = await client.addActive('slowly.test')
  await client.misbehave('slowly.test', 'mail_domain_ready', 'unavailable', 1000)
  const { status, body } = await add({ domain_id: id })
  assert.deepEqual([status, body.overall_status], [201, 'PENDING'])
  const recipient_email = 'x@inbox.test'
  const early = await client.post(`/sender-accounts/${body.inbox_id}/test-email`, {
    recipient_email,
  })
  refuses(early, 409, 'inbox_not_ready')
  await client.sandbox('DELETE', '/outcomes/slowly.test')
  await client.post(`/domains/${id}/activate`)
  const { sender_accounts } = await until(
    () => list(`?domain_id=${id}`),
    (seen) => seen.sender_accounts[0].overall_status === 'ACTIVE',
  )
  assert.equal(sender_accounts[0].inbox_id, body.inbox_id)
})

test('the list can be narrowed, and pages like every list', async () => {
  const ids = (body: Json): string[] => body.sender_accounts.map(({ inbox_id }: Json) => inbox_id)
  const all = await list('?limit=100')
  hasFields(all, 'success message sender_accounts pagination')
  hasFields(all.pagination, 'page limit total pages has_next has_prev')
  for (const item of all.sender_accounts) hasFields(item, ITEM)
  const total = all.pagination.total
  // biome-ignore format: a table
  const queries: readonly [query: string, count: number][] = [
    [`?domain_id=${domain_id}&limit=100`,             total - 2],
    [`?domain_id=${UNKNOWN_ID}`,                      0],
    ['?search=TAKEN@ACME',                            1],
    ['?search=taken%25',                              0],
    ['?status=DISABLED',                              0],
    ['?status=nonsense',                              0],
    ['?inbox_type=COLDSEND_NATIVE&limit=100',         total],
    ['?inbox_type=OUTLOOK_365',                       0],
    [`?page=${total + 1}&limit=1`,                    0],
    ['?limit=1&page=2',                               1],
  ]
  for (const [query, count] of queries) assert.equal(ids(await list(query)).length, count, query)
  assert.deepEqual(ids(await list('?limit=1&page=2')), ids(all).slice(1, 2))
  const answer = await client.get('/sender-accounts?domain_id=x')
  violates(answer, ['query', 'domain_id'], 'value_error.uuid')
})

test('what a service refuses is shown as a reason and a sentence', async () => {
  const { body } = await add({ email_prefix: 'refused' })
  const problem = { reason: 'refused', message: 'Mailcow refuses: the address is taken already.' }
  const inboxes = store.db.updateTable('inboxes').where('id', '=', body.inbox_id)
  await inboxes.set({ problem: JSON.stringify(problem) as never }).execute()
  const [item] = (await list('?search=refused')).sender_accounts
  assert.deepEqual(item.problem, problem)
})
