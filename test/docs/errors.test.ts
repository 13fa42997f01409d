/** docs/errors.md says what every error of the API means, and what to do about it. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { PROBLEMS } from '#api/http/problems.ts'

const PAGE = readFileSync('docs/errors.md', 'utf8')
const CODES = [...PAGE.matchAll(/^\| `([a-z_]+)` \| (\d{3}) \| (.+?) \| (.+?) \|$/gm)]
const TYPES = [...PAGE.matchAll(/^\| `((?:value|type)_error[a-z_.]*)` \| (.+?) \|$/gm)]

test('every code has one row, with the status it is answered with', () => {
  const documented = CODES.map(([, code, status]) => [code, Number(status)])
  const built = Object.entries(PROBLEMS).map(([code, { status }]) => [code, status])
  assert.deepEqual(documented.toSorted(), built.toSorted())
})

test('every row says what the code means and what to do, in sentences', () => {
  for (const [, code, , meaning, advice] of CODES) {
    assert.match(meaning!, /^[A-Z].*\.$/, code)
    assert.match(advice!, /^[A-Z].*\.$/, code)
  }
})

test('every type of violation that the code names has one row, and no other has', () => {
  const files = globSync(['src/api/**/*.ts', 'src/names/**/*.ts'], { exclude: ['**/*.test.ts'] })
  const text = files.map((file) => readFileSync(file, 'utf8')).join('\n')
  const named = [...text.matchAll(/['`](value_error[a-z_.]*|type_error\.[a-z]+)['`]/g)]
  const translated = /const TYPE_NAMES[^{]*\{([^}]*)\}/.exec(text)![1]!.matchAll(/'(\w+)'/g)
  const built = [
    ...named.map(([, type]) => type!),
    ...[...translated].map(([, name]) => `type_error.${name}`),
  ]
  const documented = TYPES.map(([, type]) => type!)
  assert.deepEqual(documented.toSorted(), [...new Set(built)].toSorted())
})

test('no row is left unread', () => {
  assert.equal(CODES.length + TYPES.length, PAGE.match(/^\| `/gm)?.length)
})
