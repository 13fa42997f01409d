import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMostlyText } from './large-json.ts'

const LARGE = 20 * 2 ** 20
const filled = (unit: string) => unit.repeat(Math.ceil(LARGE / unit.length))

// biome-ignore format: a table
const TEXTS: readonly [what: string, json: string, expected: boolean][] = [
  ['one long string',              JSON.stringify({ a: filled('x') }),             true],
  ['a few',                        JSON.stringify([filled('x'), { b: filled('y') }]), true],
  ['a string of line ends',        JSON.stringify({ a: filled('\n') }),            true],
  ['quotes in HTML',               JSON.stringify({ a: '<a href="x">'.repeat(40_000), b: filled('x') }), true],
  ['a string that ends in \\',     JSON.stringify(['a\\', filled('x')]),           true],
  ['a string without an end',      `{"a":"${filled('x')}`,                         true],
  ['small',                        '{}',                                           true],
  ['many numbers',                 `[${filled('0,')}0]`,                           false],
  ['nested lists',                 filled('['),                                    false],
  ['many small strings',           `[${filled('"",')}0]`,                          false],
  ['spaces',                       filled(' '),                                    false],
  ['only quotes',                  filled('"'),                                    false],
  ['only escaped quotes',          `"${filled('\\"')}"`,                           false],
  ['objects after a long string',  `["${filled('x')}",${filled('{},')}0]`,         false],
]
for (const [what, json, expected] of TEXTS)
  test(`of text: ${what}`, () => {
    const began = performance.now()
    assert.equal(isMostlyText(json), expected)
    assert.ok(performance.now() - began < 500)
  })

test('a string of backslashes takes no longer than another', () => {
  assert.equal(isMostlyText(JSON.stringify({ a: filled('\\') })), true)
  const began = performance.now()
  isMostlyText(`"${`${'\\'.repeat(1000)}"`.repeat(20_000)}`)
  assert.ok(performance.now() - began < 1000)
})
