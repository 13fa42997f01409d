import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { type EmulatedAnswer, startEmulator } from '../../emulators/server.ts'
import { testTools } from '../../test/tools.ts'
import type { DriverErrorKind } from './errors.ts'
import { type HttpOptions, httpClient } from './http.ts'

let answer: EmulatedAnswer = { status: 200 }
const server = await startEmulator({
  handle: async () => answer,
  refusal: (status) => ({ status }),
})
after(() => server[Symbol.asyncDispose]())
beforeEach(() => {
  server.calls.length = 0
})

const clientWith = (more: Partial<HttpOptions> = {}, tools = testTools()) =>
  httpClient({ provider: 'Acme', baseUrl: server.url, guard: tools.guard, ...more })
const GET = { method: 'GET', path: '/thing' } as const

const html = (status: number): EmulatedAnswer => ({ status, text: '<h1>Bad gateway</h1>' })

// biome-ignore format: a table
const REFUSALS: [answer: EmulatedAnswer, kind: DriverErrorKind, message: string][] = [
  [html(200),                  'unavailable',  'Acme answered with something that is not JSON.'],
  [html(400),                  'unavailable',  'Acme answered 400 with something that is not JSON.'],
  [html(404),                  'unavailable',  'Acme answered 404 with something that is not JSON.'],
  [html(407),                  'unavailable',  'Acme could not be reached.'],
  [html(408),                  'unavailable',  'Acme answered 408 with something that is not JSON.'],
  [{ status: 404 },            'unavailable',  'Acme answered 404 with nothing.'],
  [{ status: 400 },            'unavailable',  'Acme answered 400 with nothing.'],
  [{ status: 401 },            'unauthorized', 'Acme refuses our credentials.'],
  [html(401),                  'unauthorized', 'Acme refuses our credentials.'],
  [{ status: 403 },            'forbidden',    'Acme denies us the right to this.'],
  [{ status: 429 },            'throttled',    'Acme has had enough requests for now.'],
  [{ status: 301, headers: { location: '/elsewhere' } }, 'unavailable', 'Acme is out of order: it answered 301.'],
  [{ status: 307, headers: { location: '/elsewhere' } }, 'unavailable', 'Acme is out of order: it answered 307.'],
  [{ status: 304 },            'unavailable',  'Acme is out of order: it answered 304.'],
  [{ status: 500 },            'unavailable',  'Acme is out of order: it answered 500.'],
  [html(502),                  'unavailable',  'Acme is out of order: it answered 502.'],
]

for (const [given, kind, message] of REFUSALS) {
  const what = given.text ? 'a page' : 'nothing'
  test(`${given.status} with ${what} is ${kind}, and asked once`, async ({ signal }) => {
    answer = given
    await assert.rejects(clientWith()(GET, signal), { name: 'DriverError', kind, message })
    assert.deepEqual(
      server.calls.map(({ target }) => target),
      ['/thing'],
    )
  })
}

test('what a refusal in JSON means is left to the driver', async ({ signal }) => {
  answer = { status: 404, json: { error: 'no such thing' } }
  const { status, json } = await clientWith()(GET, signal)
  assert.deepEqual([status, json], [404, { error: 'no such thing' }])
})

test('a status of an own meaning is given back, empty too, but no page', async ({ signal }) => {
  const call = { ...GET, ownMeaning: [401, 409] }
  for (const status of call.ownMeaning) {
    answer = { status }
    assert.equal((await clientWith()(call, signal)).status, status)
    answer = html(status)
    await assert.rejects(clientWith()(call, signal), { kind: 'unavailable' })
  }
})

const DATE = 'Sun, 01 Nov 2026 12:00:00 GMT'

// biome-ignore format: a table
const RETRY_AFTER: [headers: Record<string, string>, retryAfterMs: number | undefined][] = [
  [{ 'retry-after': '7' },                                                7000],
  [{ 'retry-after': '0' },                                                0],
  [{ 'retry-after': 'Sun, 01 Nov 2026 12:01:30 GMT', date: DATE },        90_000],
  [{ 'retry-after': 'Sun, 01 Nov 2026 11:00:00 GMT', date: DATE },        0],
  [{ 'retry-after': 'soon' },                                             undefined],
  [{ 'retry-after': '-3' },                                               undefined],
  [{ 'retry-after': '12345678901' },                                      undefined],
  [{},                                                                    undefined],
]

for (const [headers, retryAfterMs] of RETRY_AFTER) {
  test(`Retry-After ${headers['retry-after']} is ${retryAfterMs} ms`, async ({ signal }) => {
    answer = { status: 429, headers }
    await assert.rejects(clientWith()(GET, signal), { kind: 'throttled', retryAfterMs })
  })
}

test('who does not answer in time is told from who cannot be reached', async ({ signal }) => {
  server.faults.add({ kind: 'hangs' })
  await assert.rejects(clientWith({ deadlineMs: 50 })(GET, signal), {
    kind: 'unavailable',
    message: 'Acme did not answer in time.',
  })
  server.faults.add({ kind: 'lost' })
  await assert.rejects(clientWith()(GET, signal), {
    kind: 'unavailable',
    message: 'Acme could not be reached.',
  })
})

test('who is aborted throws what the signal throws, and it counts for nothing', async ({
  signal,
}) => {
  const client = clientWith()
  for (let turn = 0; turn < 12; turn++) {
    const stop = new AbortController()
    server.faults.witness = () => stop.abort()
    await assert.rejects(client(GET, stop.signal), { name: 'AbortError' })
  }
  server.faults.witness = undefined
  answer = { status: 200, json: 'there' }
  assert.equal((await client(GET, signal)).json, 'there')
})

test('an answer of 8 MiB is read, and no longer one', async ({ signal }) => {
  const most = 8 << 20
  answer = { status: 200, text: JSON.stringify('x'.repeat(most - 2)) }
  assert.equal(String((await clientWith()(GET, signal)).json).length, most - 2)
  answer = { status: 200, text: JSON.stringify('x'.repeat(most - 1)) }
  await assert.rejects(clientWith()(GET, signal), { kind: 'unavailable' })
})

test('a key that cannot be sent is in no error, and in no cause of one', async ({ signal }) => {
  const headers = { 'x-api-key': 'canary-4711\nx' }
  await assert.rejects(clientWith({ headers })(GET, signal), (error: Error) => {
    assert.equal(error.message, 'Acme could not be reached.')
    for (let each: unknown = error; each instanceof Error; each = each.cause) {
      assert.ok(!`${each.stack}${each.message}`.includes('canary'))
    }
    return true
  })
})
