import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, test } from 'node:test'
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
    const section = html
      .split(`<section id="${operation.operationId}">`)[1]!
      .split('</section>')[0]!
    assert.ok(section.includes(`<code>${path}</code>`))
    assert.match(section, /<pre><code>curl /)
    if (method !== 'GET') assert.ok(section.includes(`-X ${method}`))
  }
  for (const id of Object.keys(document.components.schemas)) assert.ok(html.includes(`id="${id}"`))
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
