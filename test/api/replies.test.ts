import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { FIRST_WORKSPACE } from '#store/api-keys.ts'
import { newId } from '../../src/ids.ts'
import type { Json } from '../client.ts'
import { testHouse } from '../house.ts'
import { hasFields, isInstant, UNKNOWN_ID, violates } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const campaignId = newId()
let inbox: Json

const write = (subject: string, text = 'Hello there', more: object = {}) =>
  client.sandbox('POST', '/mail', {
    from: 'Lead@inbox.test',
    to: inbox.email_address,
    subject,
    text,
    ...more,
  })
const list = async (query = '') => (await client.get(`/replies${query}`)).body
const subjects = (body: Json): string[] => body.conversations.map(({ subject }: Json) => subject)
const setThread = (subject: string, values: object) =>
  store.db.updateTable('threads').set(values).where('subject', '=', subject).execute()

before(async () => {
  const { domain_id } = await client.addActive('acme.test')
  const wanted = { domain_id, email_prefix: 'kim', display_name: 'Kim' }
  inbox = (await client.post('/sender-accounts/coldsend-native', wanted)).body
  for (const subject of ['one', 'two', 'three', 'four', 'five']) {
    assert.equal((await write(subject)).status, 202)
  }
  await store.db
    .insertInto('campaigns')
    .values({ id: campaignId, workspace_id: FIRST_WORKSPACE, world: 'sandbox', name: 'Spring' })
    .execute()
  await setThread('one', { is_read: true })
  await setThread('two', { is_read: true, is_starred: true })
  await setThread('three', { is_starred: true, category: 'interested' })
  await setThread('four', { campaign_id: campaignId, category: 'Interested' })
})

test('the list has the shape of the contract', async () => {
  const body = await list()
  hasFields(
    body,
    `success message conversations total_count unread_count page limit total_pages has_next
     has_prev`,
  )
  const { conversations, message, ...rest } = body
  assert.equal(typeof message, 'string')
  assert.deepEqual(rest, {
    success: true,
    total_count: 5,
    unread_count: 3,
    page: 1,
    limit: 20,
    total_pages: 1,
    has_next: false,
    has_prev: false,
  })
  for (const each of conversations) {
    hasFields(
      each,
      `thread_id inbox_id lead_email subject last_message_preview last_message_at is_read
       is_starred category campaign_id kind authentication is_archived archived_domain_name
       archived_inbox_email archived_at`,
    )
    isInstant(each.last_message_at)
    assert.deepEqual(
      [each.inbox_id, each.lead_email, each.last_message_preview],
      [inbox.inbox_id, 'lead@inbox.test', 'Hello there'],
    )
  }
})

const ALL = ['five', 'four', 'three', 'two', 'one']

// biome-ignore format: a table
const FILTERS: readonly [query: string, subjects: readonly string[]][] = [
  ['',                                      ALL],
  ['?is_read=true',                         ['two', 'one']],
  ['?is_read=1',                            ['two', 'one']],
  ['?is_read=false',                        ['five', 'four', 'three']],
  ['?is_read=0',                            ['five', 'four', 'three']],
  ['?is_starred=true',                      ['three', 'two']],
  ['?is_starred=false',                     ['five', 'four', 'one']],
  ['?is_read=true&is_starred=true',         ['two']],
  ['?category=interested',                  ['three']],
  ['?category=Interested',                  ['four']],
  ['?category=nonsense',                    []],
  ['?category=null',                        []],
  [`?campaign_id=${campaignId}`,            ['four']],
  [`?campaign_id=${UNKNOWN_ID}`,            []],
  [`?campaign_id=${campaignId}&is_starred=true`, []],
  ['?limit=2',                              ['five', 'four']],
  ['?limit=2&page=2',                       ['three', 'two']],
  ['?limit=2&page=3',                       ['one']],
  ['?limit=2&page=4',                       []],
  ['?kind=person',                          ALL],
  ['?kind=automatic',                       []],
  ['?archived=false',                       ALL],
  ['?archived=true',                        []],
  ['?inbox_id={inbox}',                     ALL],
  [`?inbox_id=${UNKNOWN_ID}`,               []],
  ['?domain_id={domain}',                   ALL],
  [`?domain_id=${UNKNOWN_ID}`,              []],
  ['?domain_id={domain}&is_read=true',      ['two', 'one']],
  ['?unknown=filter',                       ALL],
]

for (const [query, expected] of FILTERS) {
  test(`GET /replies${query.replace(campaignId, '{id}')} → ${expected.join(', ') || 'none'}`, async () => {
    const ids = query.replace('{inbox}', inbox.inbox_id).replace('{domain}', inbox.domain_id)
    assert.deepEqual(subjects(await list(ids)), expected)
  })
}

test('the counts are those of what the filters leave', async () => {
  for (const [query, total, unread] of [
    ['', 5, 3],
    ['?is_read=true', 2, 0],
    ['?is_read=false', 3, 3],
    ['?is_starred=true', 2, 1],
    ['?archived=true', 0, 0],
    [`?inbox_id=${inbox.inbox_id}&limit=1`, 5, 3],
    [`?campaign_id=${campaignId}`, 1, 1],
  ] as const) {
    const { total_count, unread_count } = await list(query)
    assert.deepEqual([total_count, unread_count], [total, unread], query)
  }
})

test('the pages add up', async () => {
  const { page, limit, total_count, total_pages, has_next, has_prev } =
    await list('?limit=2&page=2')
  assert.deepEqual([page, limit, total_count, total_pages], [2, 2, 5, 3])
  assert.deepEqual([has_next, has_prev], [true, true])
})

const BOOLEAN = 'type_error.enum'

// biome-ignore format: a table
const VIOLATIONS: readonly [query: string, field: string, type: string][] = [
  ['is_read=yes',          'is_read',     BOOLEAN],
  ['is_read=',             'is_read',     BOOLEAN],
  ['is_read=TRUE',         'is_read',     BOOLEAN],
  ['is_read=2',            'is_read',     BOOLEAN],
  ['is_read=true&is_read=false', 'is_read', BOOLEAN],
  ['is_starred=null',      'is_starred',  BOOLEAN],
  ['campaign_id=x',        'campaign_id', 'value_error.uuid'],
  ['campaign_id=',         'campaign_id', 'value_error.uuid'],
  ['kind=human',           'kind',        BOOLEAN],
  ['archived=yes',         'archived',    BOOLEAN],
  ['inbox_id=x',           'inbox_id',    'value_error.uuid'],
  ['domain_id=x',          'domain_id',   'value_error.uuid'],
  ['limit=0',              'limit',       'value_error.number.not_ge'],
  ['limit=101',            'limit',       'value_error.number.not_le'],
  ['page=0',               'page',        'value_error.number.not_ge'],
  ['page=one',             'page',        'type_error.integer'],
  [`category=${'a'.repeat(256)}`, 'category', 'value_error.any_str.max_length'],
]

for (const [query, field, type] of VIOLATIONS) {
  test(`GET /replies?${query.slice(0, 40)} → ${type}`, async () => {
    violates(await client.get(`/replies?${query}`), ['query', field], type)
  })
}

// biome-ignore format: a table
const TEXTS: readonly [what: string, subject: string, text: string, preview: string][] = [
  ['no subject and no text',  '',                '',                        ''],
  ['spaces and lines',        'lines',           '  one \r\n\r\n two\t3 ',  'one two 3'],
  ['a very long text',        'long',            'x'.repeat(5000),          'x'.repeat(200)],
  ['any script',              'Grüße, 金 🙂',     'Zoë 金 🙂',                'Zoë 金 🙂'],
  ['what looks like markup',  '<script>x',       '<b>not bold</b>',         '<b>not bold</b>'],
  ['half a character',        'half',            'a\ud800b',                'a\ufffdb'],
  ['a line that ends SMTP',   'dot',             'a\r\n.\r\nb',             'a . b'],
]

for (const [what, subject, text, preview] of TEXTS) {
  test(`a reply arrives whole: ${what}`, async () => {
    assert.equal((await write(subject, text)).status, 202)
    const [latest] = (await list('?limit=1')).conversations
    assert.deepEqual([latest.subject, latest.last_message_preview], [subject, preview])
  })
}

test('a message with a null character in it is taken like any other', async () => {
  const answer = await write('null', 'before\u0000after')
  assert.equal(answer.status, 202, JSON.stringify(answer.body))
  const [latest] = (await list('?limit=1')).conversations
  assert.equal(latest.subject, 'null')
})

test('a forged message is not shown as what it claims to be', async () => {
  const answer = await write('forged', 'Trust me', { from: 'ceo@bank.example', authentic: false })
  if (answer.status !== 202) return
  const row = await store.db
    .selectFrom('messages')
    .select('authentication')
    .where('subject', '=', 'forged')
    .executeTakeFirstOrThrow()
  assert.notEqual(row.authentication.dkim.result, 'pass')
  assert.notEqual(row.authentication.dmarc.result, 'pass')
})
