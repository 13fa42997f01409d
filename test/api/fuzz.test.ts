/**
 * Every operation, each of its parameters and fields, with what nobody should send. What is sent follows
 * from the document and a seed, so a failure can be sent again.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import type { Schema } from '#api/openapi/schema.ts'
import type { Answer } from '../client.ts'
import { testHouse } from '../house.ts'
import { seededRandom } from '../random.ts'
import {
  bodySchemaOf,
  conforms,
  type Described,
  documentOf,
  operationsIn,
  type Samples,
  sampleBody,
  samplePath,
  send,
} from './document.ts'
import { troubleIn, UNKNOWN_ID } from './expect.ts'

const SEED = 20_261_123
const AT_ONCE = 4

const house = await testHouse({ MAILSTEAD_WAIT_MS: '500' })
after(() => house[Symbol.asyncDispose]())
const { client, store } = house
const domain = await client.addActive('fuzz.test')
const { body: inbox } = await client.post('/sender-accounts/coldsend-native', {
  domain_id: domain.domain_id,
  email_prefix: 'kim',
  display_name: 'Kim',
})
const mail = { from: 'ann@inbox.test', to: inbox.email_address, subject: 'Hello' }
await client.sandbox('POST', '/mail', mail)
const [thread] = (await client.get('/replies')).body.conversations
const document = await documentOf(client)

// --- What is sent

const random = seededRandom(SEED)
const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`

/** As a text in a path, a query or a body. */
// biome-ignore format: a table
const TEXTS: readonly string[] = [
  '', ' ', 'a', '0', '-1', '1.5', '1e309', '0x10', 'NaN', 'null', 'true', '99999999999999999999',
  'a'.repeat(300), '9'.repeat(400), '\u0000', 'a\u0000b', '\u0001\u001f\u007f', 'a\r\nX-Evil: 1', '\t',
  'é', '🙂', '\u202eabc', '\ufeff', 'ﬃ', 'ａ.test', 'xn--a', 'xn--', '%00', '%', '..', '../..%2f', '.', '-', 'a@b', '@', '<a b>',
  "' or 1=1 --", '"; drop table domains; --', '{{7*7}}', '<script>', '__proto__', 'constructor', 'toString',
  `{${UNKNOWN_ID}}`, UNKNOWN_ID.toUpperCase(), '2026-13-45T99:99:99Z', '[object Object]',
]

/** As JSON, in the place of a field. */
// biome-ignore format: a table
const VALUES: readonly string[] = [
  'null', 'true', 'false', '0', '-0', '-1', '1.5', '1e308', '1e999', '-1e999', '9007199254740993', '123456789012345678901234567890',
  '[]', '[null]', '["a"]', '[[]]', '{}', '{"":{}}', '{"__proto__":{"x":1}}', '{"toString":1}', deep(50), deep(5000),
  '"\\ud800"', '"\\udc00\\ud800"', '"\\u0000"', `[${'"a",'.repeat(2000)}"a"]`, `"${'a'.repeat(100_000)}"`,
]

/** Instead of the whole body. */
// biome-ignore format: a table
const BODIES: readonly string[] = [
  '', 'null', '[]', '"x"', '1', 'true', '{', '{}', '{"":1}', deep(100_000), '\u0000', '{"a":1,}', '\ufeff{}', '{"__proto__":{"a":1}}',
]

/** Generated text: any code units, also halves of pairs. */
function anyText(): string {
  const length = 1 + Math.floor(random() * 40)
  const ranges = [0x20, 0x7f, 0x3ff, 0xffff]
  const unit = () => Math.floor(random() * ranges[Math.floor(random() * ranges.length)]!)
  return String.fromCharCode(...Array.from({ length }, unit))
}

const texts = () => [...TEXTS, ...Array.from({ length: 6 }, anyText)]

// --- To where it is sent

type Sent = { path: string; body?: string; headers?: Record<string, string> }

let count = 0
/** Ids of what is there; what is made has a new name each time, and what is deleted is not there. */
function samples({ method }: Described): Samples {
  count++
  const isGentle = method !== 'DELETE'
  return {
    domain_id: isGentle ? domain.domain_id : UNKNOWN_ID,
    inbox_id: isGentle ? inbox.inbox_id : UNKNOWN_ID,
    key_id: UNKNOWN_ID,
    message_id: UNKNOWN_ID,
    job_id: UNKNOWN_ID,
    attachment_id: '0',
    thread_id: thread.thread_id,
    password_id: 'aaaaaaaa',
    suppression_id: UNKNOWN_ID,
    record_id: UNKNOWN_ID,
    domain: `fuzz-${count}.test`,
    email_prefix: `fuzz-${count}`,
    scopes: ['domains:read'],
    target_domain: 'elsewhere.test',
  }
}

function* requestsFor(described: Described): Generator<Sent> {
  yield* intoPath(described)
  yield* intoQuery(described)
  yield* intoHeaders(described)
  yield* intoBody(described)
}

const rawBody = (described: Described): Pick<Sent, 'body'> =>
  described.operation.requestBody
    ? { body: JSON.stringify(sampleBody(described.operation, samples(described))) }
    : {}

function* intoPath(described: Described): Generator<Sent> {
  for (const { name } of described.operation.parameters.filter((each) => each.in === 'path')) {
    for (const text of [...texts(), 'a'.repeat(2000)]) {
      const written = { ...samples(described), [name]: text.toWellFormed() }
      yield { path: samplePath(described, written), ...rawBody(described) }
    }
  }
}

function* intoQuery(described: Described): Generator<Sent> {
  const named = described.operation.parameters.filter((each) => each.in === 'query')
  for (const { name } of [...named, { name: 'unknown' }]) {
    const value = (text: string) => `${name}=${encodeURIComponent(text.toWellFormed())}`
    // biome-ignore format: a table
    const queries = [
      ...texts().map(value), name, `${name}=1&${name}=2`, `${name}[]=1`, `${name}[a]=1`, `${name}.a=1`,
      `${name}=%ff%fe`, `${name}=%`, `%00=1&${name}=1`, value('a'.repeat(5000)), '&&&=&', '__proto__=1&constructor=2',
    ]
    const [path] = samplePath(described, samples(described)).split('?')
    for (const query of queries) yield { path: `${path}?${query}`, ...rawBody(described) }
  }
}

function* intoHeaders(described: Described): Generator<Sent> {
  for (const { name } of described.operation.parameters.filter((each) => each.in === 'header')) {
    for (const text of ['', ' ', 'a b', 'é', '{}', "'", 'a'.repeat(256), 'a'.repeat(5000)]) {
      const path = samplePath(described, samples(described))
      yield { path, headers: { [name]: text }, ...rawBody(described) }
    }
  }
}

function* intoBody(described: Described): Generator<Sent> {
  const schema = bodySchemaOf(described.operation)
  if (!schema) return
  const path = samplePath(described, samples(described))
  for (const body of BODIES) yield { path, body }
  for (const field of fieldsOf(schema)) {
    for (const raw of [...VALUES, ...texts().map((text) => JSON.stringify(text))])
      yield { path, body: withRaw(described, field, raw) }
    yield { path, body: without(described, field) }
    yield { path, body: twice(described, field) }
  }
  const { body = '' } = rawBody(described)
  const unknown = '"unknown":{"a":[1,{"b":null}]},"":1,"\\u0000":2,"__proto__":{"y":1}'
  yield { path, body: body === '{}' ? `{${unknown}}` : body.replace(/^\{/, `{${unknown},`) }
}

/** The ways to all fields, also to those within others and within lists. */
function fieldsOf(schema: Schema): (string | number)[][] {
  const object = schema.anyOf?.find(({ properties }) => properties) ?? schema
  const named = Object.entries(object.properties ?? {}).flatMap(([name, field]) =>
    [[], ...fieldsOf(field)].map((rest) => [name, ...rest]),
  )
  return schema.items ? [[0], ...fieldsOf(schema.items).map((rest) => [0, ...rest])] : named
}

const HERE = '@here@'

function withRaw(described: Described, field: readonly (string | number)[], raw: string): string {
  const body: Record<string | number, unknown> = sampleBody(described.operation, samples(described))
  let at = body
  for (const [index, key] of field.slice(0, -1).entries()) {
    at[key] = typeof at[key] === 'object' ? at[key] : typeof field[index + 1] === 'number' ? [] : {}
    at = at[key] as typeof at
  }
  at[field.at(-1)!] = HERE
  return JSON.stringify(body).replace(`"${HERE}"`, () => raw)
}

function without(described: Described, [name]: readonly (string | number)[]): string {
  const { [String(name)]: _, ...rest } = sampleBody(described.operation, samples(described))
  return JSON.stringify(rest)
}

const twice = (described: Described, [name]: readonly (string | number)[]): string =>
  withRaw(described, [name!], `[{"first":1}],${JSON.stringify(name)}:{"second":2}`)

// --- What must come of it

/** All of it takes minutes. Without torture a fifth is sent, of each operation another one. */
const IS_TORTURE = process.env.MAILSTEAD_TORTURE === 'true'

function* chosenFor(described: Described, turn: number): Generator<Sent> {
  const every = IS_TORTURE ? 1 : described.path.startsWith('/api/sandbox/') ? 11 : 5
  for (const [index, sent] of [...requestsFor(described)].entries())
    if (index % every === turn % every) yield sent
}

const MAKES: Record<string, string> = {
  addDomain: 'domains',
  addInbox: 'inboxes',
  addInboxes: 'inboxes',
  addKey: 'api_keys',
  addWorkspace: 'api_keys',
}

/** Reports about messages that could not be sent come whenever they do. */
async function rows(): Promise<Record<string, number>> {
  const { rows: counted } = await sql<{ name: string; n: string }>`
    select 'domains' as name, count(*) as n from domains
    union all select 'inboxes', count(*) from inboxes
    union all select 'api_keys', count(*) from api_keys
    union all select 'messages', count(*) from messages
               where envelope_sender <> '' and outgoing_id is null`.execute(store.db)
  return Object.fromEntries(counted.map(({ name, n }) => [name, Number(n)]))
}

function judge(described: Described, sent: Sent, answer: Answer): void {
  const told = `seed ${SEED}: ${described.method} ${shown(sent)}`
  assert.ok(answer.status < 500, `${told} → ${answer.status} ${JSON.stringify(answer.body)}`)
  if (answer.status >= 400) {
    assert.ok(answer.body?.detail?.length > 0, `${told}: no detail`)
    const isCoded = typeof answer.body.error === 'string'
    assert.equal(isCoded, answer.status !== 422, `${told}: ${JSON.stringify(answer.body)}`)
  }
  if (isAsDescribed(described, sent)) conforms(document, described, answer)
}

/** A hostile part of a path can make it another path: an empty one, or one of dots. */
function isAsDescribed({ path }: Described, sent: Sent): boolean {
  const template = path.replace(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${template}$`).test(new URL(sent.path, client.base).pathname)
}

const shown = (sent: Sent): string => JSON.stringify(sent).slice(0, 600)

for (const [turn, described] of operationsIn(document).entries()) {
  const { method, path, operation } = described
  test(`${method} ${path}: whatever is sent, it is answered, and what is refused stores nothing`, async () => {
    const before = await rows()
    const todo = [...chosenFor(described, turn)]
    let made = 0
    const worker = async () => {
      for (let sent = todo.pop(); sent; sent = todo.pop()) {
        const answer = await send(client, { method, ...sent })
        judge(described, sent, answer)
        if (answer.status === 201) made++
        if (answer.status === 202) made += answer.body.success_count ?? 0
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker))
    for (const each of ended) if (each.status === 'rejected') throw each.reason
    const grows = MAKES[operation.operationId]
    const expected = grows ? { ...before, [grows]: before[grows]! + made } : before
    assert.deepEqual(await rows(), expected)
  })
}

test('after all these, nothing was our fault, and everything still works', async () => {
  assert.equal(troubleIn(house.logLines).join('\n'), '')
  assert.equal(({} as { x?: number }).x, undefined)
  assert.equal((await client.get(`/domains/${domain.domain_id}`)).body.status, 'ACTIVE')
})
