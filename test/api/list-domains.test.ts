import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { testHouse } from '../house.ts'
import { hasFields, isInstant, violates } from './expect.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client, store } = house

const NAMES = Array.from({ length: 25 }, (_, index) => `list${String(index).padStart(2, '0')}.test`)
for (const domain of NAMES) await client.post('/domains', { domain })
await client.addActive('ready.example')
const NEWEST_FIRST = ['ready.example', ...NAMES.toReversed()]

const list = async (query: string) => (await client.get(`/domains${query}`)).body
const namesOf = (body: { domains: { domain_name: string }[] }) =>
  body.domains.map(({ domain_name }) => domain_name)

test('the list has the shape of the contract', async () => {
  const body = await list('?search=ready')
  hasFields(body, 'domains pagination success message')
  assert.equal(body.success, true)
  assert.equal(body.message, 'Domains retrieved successfully')
  hasFields(
    body.pagination,
    'page limit total pages has_next has_prev next_cursor total_is_estimate',
  )
  const [{ domain_id, created_at, ...rest }] = body.domains
  assert.match(domain_id, /^[0-9a-f-]{36}$/)
  isInstant(created_at)
  assert.deepEqual(rest, {
    domain_name: 'ready.example',
    status: 'ACTIVE',
    mailcow_added: true,
    cloudflare_verified: true,
    max_inboxes: 50,
    current_inboxes: 0,
  })
})

test('a domain that waits for its nameservers is neither added nor verified', async () => {
  const { domains } = await list('?search=list00')
  assert.equal(domains[0].status, 'DNS_PENDING')
  assert.deepEqual([domains[0].mailcow_added, domains[0].cloudflare_verified], [false, false])
})

// biome-ignore format: a table
const PAGES: readonly [query: string, names: readonly string[], pagination: { limit: number; [field: string]: number | boolean }][] = [
  ['',                  NEWEST_FIRST.slice(0, 20),  { page: 1, limit: 20, total: 26, pages: 2, has_next: true, has_prev: false }],
  ['?page=2',           NEWEST_FIRST.slice(20),     { page: 2, limit: 20, total: 26, pages: 2, has_next: false, has_prev: true }],
  ['?page=3',           [],                         { page: 3, limit: 20, total: 26, pages: 2, has_next: false, has_prev: true }],
  ['?page=1000000',     [],                         { page: 1000000, limit: 20, total: 26, pages: 2, has_next: false, has_prev: true }],
  ['?limit=1',          NEWEST_FIRST.slice(0, 1),   { page: 1, limit: 1, total: 26, pages: 26, has_next: true, has_prev: false }],
  ['?limit=1&page=26',  NEWEST_FIRST.slice(25),     { page: 26, limit: 1, total: 26, pages: 26, has_next: false, has_prev: true }],
  ['?limit=13&page=2',  NEWEST_FIRST.slice(13),     { page: 2, limit: 13, total: 26, pages: 2, has_next: false, has_prev: true }],
  ['?limit=26',         NEWEST_FIRST,               { page: 1, limit: 26, total: 26, pages: 1, has_next: false, has_prev: false }],
  ['?limit=100',        NEWEST_FIRST,               { page: 1, limit: 100, total: 26, pages: 1, has_next: false, has_prev: false }],
  ['?page=01&limit=026', NEWEST_FIRST,              { page: 1, limit: 26, total: 26, pages: 1, has_next: false, has_prev: false }],
  ['?status=ACTIVE',    ['ready.example'],          { page: 1, limit: 20, total: 1, pages: 1, has_next: false, has_prev: false }],
  ['?status=nonsense',  [],                         { page: 1, limit: 20, total: 0, pages: 0, has_next: false, has_prev: false }],
  ['?status=active',    [],                         { page: 1, limit: 20, total: 0, pages: 0, has_next: false, has_prev: false }],
  ['?status=nonsense&page=2', [],                   { page: 2, limit: 20, total: 0, pages: 0, has_next: false, has_prev: false }],
]

for (const [query, names, pagination] of PAGES) {
  test(`GET /domains${query} is the right page, newest first`, async () => {
    const body = await list(query)
    assert.deepEqual(namesOf(body), names)
    const { next_cursor, total_is_estimate, ...given } = body.pagination
    assert.deepEqual(given, pagination)
    assert.equal(total_is_estimate, false)
    assert.equal(next_cursor, pagination.has_next ? body.domains.at(-1).domain_id : null)
  })
}

// biome-ignore format: a table
const SEARCHES: readonly [search: string, names: readonly string[]][] = [
  ['ready',          ['ready.example']],
  ['READY',          ['ready.example']],
  ['y.ex',           ['ready.example']],
  ['.example',       ['ready.example']],
  ['list1',          NAMES.slice(10, 20).toReversed()],
  ['ready.example.', []],
  ['r%y',            []],
  ['list_0',         []],
  [' ',              []],
  ['',               NEWEST_FIRST.slice(0, 20)],
]

for (const [search, names] of SEARCHES) {
  test(`search is a part of the name, letter for letter: ${JSON.stringify(search)}`, async () => {
    assert.deepEqual(namesOf(await list(`?search=${encodeURIComponent(search)}`)), names)
  })
}

test('filters join: search and status', async () => {
  assert.deepEqual(namesOf(await list('?search=list03&status=DNS_PENDING')), ['list03.test'])
  assert.deepEqual(namesOf(await list('?search=list03&status=ACTIVE')), [])
})

const TOO_SMALL = 'value_error.number.not_ge'
const TOO_LARGE = 'value_error.number.not_le'
const NO_INTEGER = 'type_error.integer'

// biome-ignore format: a table
const VIOLATIONS: readonly [query: string, field: string, type: string][] = [
  ['limit=0',          'limit',  TOO_SMALL],
  ['limit=-1',         'limit',  TOO_SMALL],
  ['limit=101',        'limit',  TOO_LARGE],
  ['limit=999999999999', 'limit', TOO_LARGE],
  ['limit=abc',        'limit',  NO_INTEGER],
  ['limit=',           'limit',  NO_INTEGER],
  ['limit=1.5',        'limit',  NO_INTEGER],
  ['limit=1e1',        'limit',  NO_INTEGER],
  ['limit=0x10',       'limit',  NO_INTEGER],
  ['limit=%2010',      'limit',  NO_INTEGER],
  ['limit=١٠',         'limit',  NO_INTEGER],
  ['limit=Infinity',   'limit',  NO_INTEGER],
  ['limit=10&limit=20', 'limit', NO_INTEGER],
  ['page=0',           'page',   TOO_SMALL],
  ['page=-1',          'page',   TOO_SMALL],
  ['page=abc',         'page',   NO_INTEGER],
  ['page=1000001',     'page',   TOO_LARGE],
  ['page=99999999999999999999999', 'page', NO_INTEGER],
  ['page[]=1',         '',       ''],
  ['status=A&status=B', 'status', 'type_error.str'],
  ['search=a&search=b', 'search', 'type_error.str'],
  [`search=${'a'.repeat(256)}`, 'search', 'value_error.any_str.max_length'],
  [`status=${'a'.repeat(256)}`, 'status', 'value_error.any_str.max_length'],
]

for (const [query, field, type] of VIOLATIONS) {
  test(`GET /domains?${query.slice(0, 40)} → ${type || 'an unknown parameter, ignored'}`, async () => {
    const answer = await client.get(`/domains?${query}`)
    if (type === '') assert.equal(answer.status, 200)
    else violates(answer, ['query', field], type)
  })
}

test('domains of the same instant come in the order of their ids, the same on every page', async () => {
  const now = new Date()
  await store.db.updateTable('domains').set({ created_at: now }).execute()
  const ids: string[] = []
  for (let page = 1; page <= 6; page++) {
    const { domains } = await list(`?limit=5&page=${page}`)
    ids.push(...domains.map(({ domain_id }: { domain_id: string }) => domain_id))
  }
  assert.equal(new Set(ids).size, 26)
  assert.deepEqual(ids, ids.toSorted().toReversed())
})
