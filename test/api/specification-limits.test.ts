/** The contract of the wire, on: how often a key may ask, and what happens when it asks twice. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { makeApiKey } from '#names/api-key.ts'
import { until } from '../client.ts'
import { anotherWorkspace, type TestHouse, testHouse } from '../house.ts'
import { refuses } from './expect.ts'
import {
  ABSENT,
  as,
  type Line,
  noDomain,
  refused,
  said,
  specifying,
  UUID,
  violation,
} from './specify.ts'

/** A house that lets a key ask so often; `usually` for what holds when nothing is set. */
const limited = (perMinute: string, perHour: string): Promise<TestHouse> =>
  testHouse({
    MAILSTEAD_RATE_LIMIT_PER_MINUTE: perMinute,
    MAILSTEAD_RATE_LIMIT_PER_HOUR: perHour,
  })

const houses = await Promise.all([
  limited('', ''),
  limited('3', '9'),
  limited('9', '1'),
  testHouse(),
])
const [usual, minutely, hourly, house] = houses
after(() => Promise.all(houses.map((each) => each[Symbol.asyncDispose]())))

const keyOf = async (scopes = ['*'], of = usual): Promise<string> =>
  (await of.clientOf({ scopes })).key!

/** What is told of a window: so many, so many left, and when it ends. */
const told = (limit: number, remaining: number | RegExp) => ({
  'x-ratelimit-limit': new RegExp(`^${limit}$`),
  'x-ratelimit-remaining': remaining instanceof RegExp ? remaining : new RegExp(`^${remaining}$`),
  'x-ratelimit-reset': /^1\d{9}$/,
})
const NOTHING = {
  'x-ratelimit-limit': ABSENT,
  'x-ratelimit-remaining': ABSENT,
  'x-ratelimit-reset': ABSENT,
}
const TOO_OFTEN = {
  detail: /^Rate limit exceeded\. Retry after [1-9]\d{0,3} seconds\.$/,
  error: 'rate_limited',
}
const AGAIN = /^[1-9]\d{0,3}$/

// biome-ignore format: a table
const USUAL: readonly Line[] = [
  ['100 a minute, which are fewer than are left of the hour', 'GET /domains', 200, said, told(100, 99)],
  ['and so on',                               'GET /domains',                          200, said,     told(100, 98)],
  ['for each key by itself',                  'GET /domains [x-api-key: {second}]',    200, said,     told(100, 99)],
  ['told with 400',                           'POST /domains {',                       400, {},       told(100, /^\d\d$/)],
  ['with 403',                                'GET /domains [x-api-key: {weak}]',      403, {},       told(100, 99)],
  ['with 404 of something',                   'GET /domains/{unknown}',                404, noDomain, told(100, /^\d\d$/)],
  ['with 404 of no path at all',              'GET /nothing',                          404, {},       told(100, /^\d\d$/)],
  ['with 409',                                'POST /domains {"domain":"taken.test"}', 409, {},       told(100, /^\d\d$/)],
  ['with 413',                                `POST /domains {"domain":"${'x'.repeat(1024 * 1024)}"}`, 413, {}, told(100, /^\d\d$/)],
  ['with 415',                                'POST /domains [x-api-key: {key}, content-type: text/xml] {}', 415, {}, told(100, /^\d\d$/)],
  ['with 422',                                'GET /domains/x',                        422, {},       told(100, /^\d\d$/)],
  ['not without a key',                       'GET /domains []',                       401, {},       NOTHING],
  ['nor with one that is not valid',          'GET /domains [x-api-key: {nobody}]',    401, {},       NOTHING],
]

// biome-ignore format: a table
const MINUTE: readonly Line[] = [
  ['the minute is told of, being tighter',    'GET /domains',    200, said,      told(3, 2)],
  ['a refused request counts',                'GET /domains/x',  422, {},        told(3, 1)],
  ['any request',                             'GET /nothing',    404, {},        told(3, 0)],
  ['too often → 429, with when to come back', 'GET /domains',    429, TOO_OFTEN, { ...told(3, 0), 'retry-after': AGAIN }],
  ['whatever is asked',                       'POST /domains {', 429, TOO_OFTEN, { ...told(3, 0), 'retry-after': AGAIN }],
  ['another key is let in',                   'GET /domains [x-api-key: {second}]', 200, said, told(3, 2)],
]

// biome-ignore format: a table
const HOUR: readonly Line[] = [
  ['the hour is told of where it is tighter', 'GET /domains',    200, said,      told(1, 0)],
  ['and is over no sooner than the minute',   'GET /domains',    429, { ...TOO_OFTEN, detail: / (3600|3[0-5]\d\d) seconds\.$/ }, told(1, 0)],
]

const once = (name: string, key = '{key}') => `[x-api-key: ${key}, idempotency-key: ${name}]`
const FIRST = { 'idempotency-replayed': ABSENT }
const REPLAYED = { 'idempotency-replayed': /^true$/ }
const badName = (type: string) => violation(['header', 'Idempotency-Key'], type)

// biome-ignore format: a table
const IDEMPOTENCY: readonly Line[] = [
  ['the first is done',                       `POST /domains ${once('a')} {"domain":"once.test"}`,       201, { domain_id: as('first') }, FIRST],
  ['the same again is answered as before',    `POST /domains ${once('a')} {"domain":"once.test"}`,       201, { domain_id: '{first}' }, REPLAYED],
  ['and has a request id of its own',         `POST /domains ${once('a')} {"domain":"once.test"}`,       201, said, { ...REPLAYED, 'x-request-id': UUID }],
  ['another body → 409',                      `POST /domains ${once('a')} {"domain":"twice.test"}`,      409, refused('idempotency_mismatch'), FIRST],
  ['another path → 409',                      `POST /domains/{first}/check ${once('a')}`,                409, refused('idempotency_mismatch'), FIRST],
  ['another name: it is done again',          `POST /domains ${once('b')} {"domain":"once.test"}`,       409, refused('domain_exists'), FIRST],
  ['an error is an answer too',               `POST /domains ${once('b')} {"domain":"once.test"}`,       409, refused('domain_exists', { domain_id: '{first}' }), REPLAYED],
  ['so is a 422',                             `POST /domains ${once('c')} {"domain":""}`,                422, {}, FIRST],
  ['which is answered as before',             `POST /domains ${once('c')} {"domain":""}`,                422, violation(['body', 'domain'], 'value_error.any_str.min_length'), REPLAYED],
  ['names are of their key',                  `POST /domains ${once('a', '{other}')} {"domain":"once.test"}`, 201, { domain_id: as('theirs') }, FIRST],
  ['and the key is asked for each time',      `POST /domains ${once('a', '{weak}')} {"domain":"once.test"}`, 403, refused('insufficient_scopes'), FIRST],
  ['every POST may have one: of a key',       `POST /keys ${once('d')} {"name":"x","scopes":["*"]}`,     201, { key: as('made', /^ms_test_/) }, FIRST],
  ['which is shown again to who made it',     `POST /keys ${once('d')} {"name":"x","scopes":["*"]}`,     201, { key: '{made}' }, REPLAYED],
  ['one without a body too',                  `POST /domains/{first}/check ${once('e')}`,                200, said, FIRST],
  ['the same',                                `POST /domains/{first}/check ${once('e')}`,                200, said, REPLAYED],
  ['255 characters are taken',                `POST /domains ${once('x'.repeat(255))} {"domain":"long.test"}`, 201, said, FIRST],
  ['256 are not → 422',                       `POST /domains ${once('x'.repeat(256))} {"domain":"longer.test"}`, 422, badName('value_error.any_str.max_length'), FIRST],
  ['nor a space → 422',                       `POST /domains ${once('a b')} {"domain":"spaced.test"}`,   422, badName('value_error.str.regex'), FIRST],
  ['what is no POST does not mind one',       `GET /domains/{first} ${once('a')}`,                       200, said, FIRST],
]

await (await usual.clientOf({})).post('/domains', { domain: 'taken.test' })
const ofUsual = { second: await keyOf(), weak: await keyOf([]), nobody: makeApiKey('sandbox') }
const ofMinutely = { second: await keyOf(['*'], minutely) }
const other = await house.clientOf({ workspace: anotherWorkspace() })
const ofHouse = { other: other.key!, weak: await keyOf([], house) }

;(await specifying(usual, ofUsual))('rate limit', USUAL)
;(await specifying(minutely, ofMinutely))('rate limit of a minute', MINUTE)
;(await specifying(hourly))('rate limit of an hour', HOUR)
const specify = await specifying(house, ofHouse)
specify('no rate limit', [['0 is off, and nothing is told', 'GET /domains', 200, said, NOTHING]])
specify('Idempotency-Key', IDEMPOTENCY)

test('Idempotency-Key: while the first is under way, the same again → 409', async () => {
  const { client, store } = house
  await client.misbehave('crawling.test', 'zone_ready', 'slow')
  const ask = () => {
    const named = { 'idempotency-key': 'slow' }
    return client.request('POST', '/api/public/v1/domains', { domain: 'crawling.test' }, named)
  }
  const asked = ask()
  const names = store.db.selectFrom('idempotent_requests').select('name')
  await until(
    () => names.where('name', '=', 'slow').execute(),
    (rows) => rows.length > 0,
  )
  refuses(await ask(), 409, 'idempotency_in_progress')
  assert.equal((await asked).status, 201)
})

test('Idempotency-Key: it is kept for 24 hours', async () => {
  const { client, store } = house
  const ask = (domain: string) =>
    client.request('POST', '/api/public/v1/domains', { domain }, { 'idempotency-key': 'day' })
  const passed = (hours: number) =>
    store.db
      .updateTable('idempotent_requests')
      .set({ created_at: new Date(Date.now() - hours * 3_600_000) })
      .where('name', '=', 'day')
      .execute()
  assert.equal((await ask('day.test')).status, 201)
  await passed(23.9)
  refuses(await ask('next-day.test'), 409, 'idempotency_mismatch')
  await passed(24.1)
  assert.equal((await ask('next-day.test')).status, 201)
})
