import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
import type { Schema } from '#api/openapi/schema.ts'
import { Client } from '../client.ts'
import { testHouse } from '../house.ts'
import { bodySchemaOf, documentOf, operationsIn } from './document.ts'
import { OPERATIONS, SANDBOX_OPERATIONS } from './operations.ts'

const house = await testHouse()
after(() => house[Symbol.asyncDispose]())
const { client } = house
const nobody = new Client(client.base)
const document = await documentOf(nobody)
const operations = operationsIn(document)

const isSandbox = (path: string) => path.startsWith('/api/sandbox/')

test('the document is OpenAPI 3.1, in JSON, and needs no key', async () => {
  const { status, headers, body } = await nobody.request('GET', '/openapi.json')
  assert.equal(status, 200)
  assert.match(headers.get('content-type')!, /^application\/json/)
  assert.match(body.openapi, /^3\.1\.\d+$/)
  assert.ok(body.info.title && body.info.version)
})

test('every operation that is built is described, with the scope it needs', () => {
  for (const { method, path, scope } of OPERATIONS) {
    const written = path.replace('{domain}', '{domain_id}').replace('{inbox}', '{inbox_id}')
    const operation = document.paths[`/api/public/v1${written}`]?.[method.toLowerCase()]
    assert.deepEqual(operation?.security, [{ ApiKey: [scope] }, { Bearer: [scope] }], written)
  }
  for (const [method, path] of SANDBOX_OPERATIONS) {
    const written = path.split('?')[0]!.replace('operation.test', '{domain}')
    assert.ok(document.paths[`/api/sandbox/v1${written}`]?.[method.toLowerCase()], written)
  }
})

test('what is not for callers with a key is not described', () => {
  for (const path of Object.keys(document.paths))
    assert.match(path, /^\/api\/(public|sandbox)\/v1\//)
})

for (const { method, path, operation } of operations) {
  test(`${method} ${path} is described in full`, () => {
    assert.match(operation.operationId, /^[a-z][A-Za-z]+$/)
    assert.match(operation.summary, /^[A-Z]\S* \S.*[^.]$/, 'a summary of several words')
    assert.equal(operation.tags.length, 1)
    const inPath = operation.parameters.filter((each) => each.in === 'path')
    assert.deepEqual(
      inPath.map(({ name }) => `{${name}}`),
      path.match(/\{\w+\}/g) ?? [],
    )
    assert.ok(inPath.every(({ required }) => required))
    const statuses = Object.keys(operation.responses)
    const good = Object.entries(operation.responses).filter(([status]) => /^2\d\d$/.test(status))
    assert.ok(good.length > 0, 'what it answers when all is well')
    for (const [, { content }] of good) assert.ok(Object.keys(content ?? {}).length > 0)
    for (const status of ['401', '403', '503', 'default'])
      assert.ok(statuses.includes(status), status)
    if (!isSandbox(path)) assert.ok(statuses.includes('429'))
    if (/\{\w+_id\}/.test(path)) assert.ok(statuses.includes('404'), 'the absence of what it names')
    if (operation.parameters.some((each) => each.in !== 'header') || operation.requestBody)
      assert.ok(statuses.includes('422'))
  })
}

test('no two operations have one name', () => {
  const ids = operations.map(({ operation }) => operation.operationId)
  assert.deepEqual(ids.toSorted(), [...new Set(ids)].toSorted())
})

test('every reference leads somewhere, and every shape is referred to', () => {
  const text = JSON.stringify(document)
  const named = Object.keys(document.components.schemas)
  const referred = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, id]) => id!)
  assert.deepEqual([...new Set(referred)].toSorted(), named.toSorted())
  assert.doesNotMatch(text, /"\$(id|defs|schema)"/)
})

test('whether a field is required, and what it is without it, is as it is checked', () => {
  const list = document.paths['/api/public/v1/domains']!.get!
  const page = list.parameters.find(({ name }) => name === 'page')!
  assert.equal(page.required, false)
  assert.deepEqual(page.schema, { type: 'integer', minimum: 1, maximum: 1_000_000, default: 1 })
  const body = bodySchemaOf(document.paths['/api/public/v1/domains']!.post!)!
  assert.deepEqual(body.required, ['domain'])
  assert.equal(body.properties!.auto_activate!.default, true)
})

test('whether a body may be left out is as it is checked', async () => {
  const { body: added } = await client.post('/domains', { domain: 'bodies.test' })
  for (const { method, path, operation } of operations) {
    if (!operation.requestBody) continue
    const url = path.replace('{domain_id}', added.domain_id).replace('{domain}', 'bodies.test')
    const { status } = await client.request(method, url.replace(/\{\w+\}/, added.domain_id))
    assert.equal(status === 422, operation.requestBody.required, `${method} ${path} → ${status}`)
  }
})

test('every field of a body says what it is', () => {
  for (const { method, path, operation } of operations) {
    const schema = bodySchemaOf(operation)
    for (const name of schema ? namesWithout(schema) : [])
      assert.fail(`${method} ${path}: ${name} has no description`)
  }
})

function namesWithout(schema: Schema): string[] {
  const inner = [schema.items ?? [], schema.anyOf ?? []].flat().flatMap(namesWithout)
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => [
    ...(field.description === undefined ? [name] : []),
    ...namesWithout(field).map((below) => `${name}.${below}`),
  ])
  return [...own, ...inner]
}

test('the headers of answers are named, and of numbers no limit that all numbers have', () => {
  const text = JSON.stringify(document)
  assert.doesNotMatch(text, /9007199254740991/)
  assert.deepEqual(Object.keys(document.components.headers), [
    'X-Request-Id',
    'X-RateLimit-Limit',
    'X-RateLimit-Remaining',
    'X-RateLimit-Reset',
    'Retry-After',
    'Idempotency-Replayed',
  ])
})

// --- The page

const page = await fetch(`${client.base}/docs`)
const html = await page.text()

test('the reference page needs no key, and lets nothing run and nothing load', () => {
  assert.equal(page.status, 200)
  assert.match(page.headers.get('content-type')!, /^text\/html; charset=utf-8/)
  const style = /<style>([\s\S]*?)<\/style>/.exec(html)![1]!
  const hash = createHash('sha256').update(style).digest('base64')
  const policy = page.headers.get('content-security-policy')!
  assert.match(policy, /default-src 'none'/)
  assert.ok(policy.includes(`style-src 'sha256-${hash}'`), policy)
  assert.doesNotMatch(policy, /unsafe/)
  assert.doesNotMatch(html, /<script|<link|<img|<iframe|\son\w+=|\sstyle=|https?:\/\//i)
})

test('it has an anchor, a path and an example for every operation', () => {
  for (const { method, path, operation } of operations) {
    assert.ok(html.includes(`<section id="${operation.operationId}">`), operation.operationId)
    const section = sectionOf(operation.operationId)
    assert.ok(section.includes(`<code>${path.replaceAll('/', '/<wbr>')}</code>`))
    assert.match(section, /<pre><code>curl /)
    if (method !== 'GET') assert.ok(section.includes(`-X ${method}`))
  }
  for (const id of Object.keys(document.components.schemas)) assert.ok(html.includes(`id="${id}"`))
})

const sectionOf = (id: string): string =>
  html.split(`<section id="${id}">`)[1]!.split('</section>')[0]!

/** The row of a field, without its markup. */
function rowOf(id: string, field: string): string {
  const rows = sectionOf(id).split('<tr>')
  const row = rows.find((each) => each.startsWith(`<td><code>${field}</code>`))
  assert.ok(row, `${id} has no ${field}`)
  return row
    .split('</tr>')[0]!
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}

test('no type is left empty, and no problem shares a line with another', () => {
  assert.doesNotMatch(html, /<td><\/td>\n?<td>/)
  assert.doesNotMatch(html, /<td>(\w+ )?<\/td><td>/)
  const lines = sectionOf('addDomain').match(/<p>.*<\/p>/g) ?? []
  for (const line of lines.flatMap((each) => each.split('</p>')))
    assert.ok((line.match(/<code>[a-z_]+<\/code>: /g) ?? []).length <= 1, line)
})

test('a field tells its type, whether it is required where it stands, and its limits', () => {
  assert.equal(rowOf('Domain', 'sending.reason'), 'sending.reason required string or null')
  assert.match(rowOf('Deletion', 'success'), /^success required boolean Always true \.$/)
  assert.match(rowOf('addKey', 'name'), /^name required string .*1 to 255 characters\. Fits /)
  assert.match(
    rowOf('addKey', 'scopes'),
    /list of string .*1 to 50 items\. Each item: one of \* , /,
  )
  assert.match(rowOf('addKey', 'expires_at'), /string or null .*At most 40 characters\.$/)
  assert.doesNotMatch(rowOf('addDomain', 'providers.dns'), /required/)
  assert.match(sectionOf('Deletion'), /<p>or<\/p>/)
})

test('a body that may be left out says so, and nothing of null', () => {
  for (const { operation } of operations.filter((each) => each.operation.requestBody)) {
    const section = sectionOf(operation.operationId)
    const { required } = operation.requestBody!
    assert.equal(section.includes('<h4>Body <i>may be left out</i></h4>'), !required)
    assert.doesNotMatch(section, /<p>null/)
  }
})

test('every link within it leads somewhere, and no anchor is there twice', () => {
  const anchors = [...html.matchAll(/\sid="(\w+)"/g)].map(([, id]) => id!)
  assert.equal(new Set(anchors).size, anchors.length)
  for (const [, target] of html.matchAll(/href="#(\w*)"/g))
    assert.ok(anchors.includes(target!), target)
})

test('it reads in light and in dark, and no tag is left open', () => {
  assert.match(html, /color-scheme: light dark/)
  for (const tag of [
    'section',
    'table',
    'tbody',
    'tr',
    'td',
    'pre',
    'code',
    'dl',
    'dd',
    'ul',
    'li',
    'a',
    'p',
  ])
    assert.equal(
      html.match(new RegExp(`<${tag}[ >]`, 'g'))?.length,
      html.match(new RegExp(`</${tag}>`, 'g'))?.length,
      tag,
    )
})
