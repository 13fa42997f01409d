/** The tables of the specification: what is asked, and what must be answered. Each line is a test. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestHouse } from '../house.ts'
import { conforms, documentOf, operationOf, operationsIn, send } from './document.ts'
import { UNKNOWN_ID } from './expect.ts'

export type Line = readonly [
  line: string,
  /** With the headers in brackets: other than these, the key of a test goes as `X-API-Key`. */
  asked: string,
  status: number,
  /** Names the fields that the line is about, and of a list the first items. */
  answered: unknown,
  headers?: Readonly<Record<string, RegExp>>,
]

export const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
export const SENTENCE = /^[A-Z].+/
/** Of a header that must not be there. */
export const ABSENT = /^$/

export const said = { success: true, message: SENTENCE }
export const refused = (error: string, more = {}) => ({ detail: SENTENCE, error, ...more })
export const noDomain = { detail: 'Domain not found', error: 'domain_not_found' }
export const violation = (loc: readonly (string | number)[], type: string) => ({
  detail: [{ loc, msg: /./, type }],
})

type Names = Map<string, string>
type Check = (actual: unknown, where: string, names: Names) => void

/** What is learnt here stands for `{name}` in the lines that follow. */
export const as =
  (name: string, pattern = UUID): Check =>
  (actual, where, names) => {
    assert.match(String(actual), pattern, where)
    names.set(`{${name}}`, String(actual))
  }

/** Somewhere in the list there is such an item. */
export const among =
  (item: object): Check =>
  (actual, where, names) => {
    const isSuch = (each: unknown): boolean => {
      try {
        holds(each, item, where, names)
        return true
      } catch {
        return false
      }
    }
    const isThere = Array.isArray(actual) && actual.some(isSuch)
    assert.ok(isThere, `${where}: there is no such item in ${JSON.stringify(actual)}`)
  }

/** Gives what makes tests of a table's lines. `given` says what stands for `{name}` there. */
export async function specifying({ client }: TestHouse, given: Record<string, string> = {}) {
  const document = await documentOf(client)
  const operations = operationsIn(document)
  const all = { key: client.key!, unknown: UNKNOWN_ID, ...given }
  const names: Names = new Map(Object.entries(all).map(([name, value]) => [`{${name}}`, value]))

  return (title: string, lines: readonly Line[]): void => {
    for (const [line, asked, status, answered, headers = {}] of lines) {
      test(`${title}: ${line} (${asked.slice(0, 80)} → ${status})`, async () => {
        const request = { headers: { 'x-api-key': client.key! }, ...read(asked, names) }
        const answer = await send({ base: client.base, key: undefined }, request)
        assert.equal(answer.status, status, JSON.stringify(answer.body))
        holds(answer.body, answered, 'body', names)
        for (const [name, pattern] of Object.entries(headers))
          assert.match(answer.headers.get(name) ?? '', pattern, name)
        const described = operationOf(operations, request.method, request.path)
        if (described) conforms(document, described, answer)
        else assert.equal(status, 404)
      })
    }
  }
}

const withNames = (text: string, names: Names): string =>
  text.replace(/\{[a-z]+\}/g, (name) => names.get(name) ?? name)

function read(asked: string, names: Names) {
  const [, method, path, brackets, body] =
    /^([A-Z]+) (\S+)(?: \[(.*?)\])?(?: ([[{].*))?$/.exec(withNames(asked, names)) ?? []
  assert.ok(method && path, asked)
  const headers = brackets?.split(', ').filter(Boolean)
  return {
    method,
    path: `/api/public/v1${path}`,
    ...(headers && { headers: Object.fromEntries(headers.map((each) => each.split(': '))) }),
    ...(body !== undefined && { body }),
  }
}

/** Of an object the named fields, of a list the first items, of a text its pattern; an empty list is empty. */
export function holds(
  actual: unknown,
  expected: unknown,
  where: string,
  names: Names = new Map(),
): void {
  if (expected instanceof RegExp) assert.match(String(actual), expected, where)
  else if (typeof expected === 'string') assert.equal(actual, withNames(expected, names), where)
  else if (typeof expected === 'function') expected(actual, where, names)
  else if (typeof expected === 'object' && expected !== null)
    holdsWithin(actual, expected, where, names)
  else assert.equal(actual, expected, where)
}

function holdsWithin(actual: unknown, expected: object, where: string, names: Names): void {
  assert.ok(typeof actual === 'object' && actual !== null, `${where}: ${JSON.stringify(actual)}`)
  if (Array.isArray(expected) && expected.length === 0) assert.deepEqual(actual, [], where)
  for (const [name, value] of Object.entries(expected))
    holds((actual as Record<string, unknown>)[name], value, `${where}.${name}`, names)
}
