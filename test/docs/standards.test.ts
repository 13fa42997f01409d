/** docs/standards.md says what we take from every standard that the code cites. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

/** Tests may cite what the code does not claim to obey. */
const FILES = globSync(['src/**/*.ts', 'migrations/*.ts'], { exclude: ['**/*.test.ts'] })
const PAGE = readFileSync('docs/standards.md', 'utf8')

/** RFC numbers in a text, as written `RFC 1035`; with where each was found. */
function cited(): Map<string, string> {
  const places = new Map<string, string>()
  for (const file of FILES) {
    for (const [, number] of readFileSync(file, 'utf8').matchAll(/\bRFC ?(\d+)/g)) {
      places.set(number!, file)
    }
  }
  return places
}

const rows = [...PAGE.matchAll(/^\| RFC (\d+) \| (.+?) \| (.+?) \|$/gm)]

test('every RFC that the code cites has a row', () => {
  const listed = new Set(rows.map(([, number]) => number))
  for (const [number, file] of cited()) assert.ok(listed.has(number), `RFC ${number}, in ${file}`)
})

test('every row is of an RFC that the code cites, once and in order', () => {
  const places = cited()
  const numbers = rows.map(([, number]) => number!)
  for (const number of numbers) assert.ok(places.has(number), `RFC ${number} is cited nowhere`)
  assert.equal(new Set(numbers).size, numbers.length)
  assert.equal(rows.length, PAGE.match(/^\| RFC/gm)?.length, 'a row that cannot be read')
})

test('every row ends with a sentence', () => {
  for (const [, number, , taken] of rows) assert.match(taken!, /^[A-Z`].*\.$/, `RFC ${number}`)
})

test('a citation is written the same way everywhere', () => {
  for (const file of FILES) {
    const text = readFileSync(file, 'utf8')
    // `rfc822` is a word of MIME.
    assert.doesNotMatch(text, /\bRFC\d|\brfc ?(?!822)\d|\bRFC \d+ ?§/, file)
  }
})
