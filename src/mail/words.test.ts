import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wordsOf } from './words.ts'

// biome-ignore format: a table
const TEXTS: readonly [text: string, words: readonly string[]][] = [
  ['',                              []],
  ['  -- !? \0 ',                   []],
  ['Hello, hello WORLD',            ['hello', 'world']],
  ['ann.lee+x@inbox.test',          ['ann', 'lee', 'x', 'inbox', 'test']],
  ['https://x.test/a_b?c=1',        ['https', 'x', 'test', 'a', 'b', 'c', '1']],
  ['GRÜSSE Grüße ﬁn ①',             ['grüsse', 'grüße', 'fin', '1']],
  ['e\u0301t\u00e9',                ['été']],
  ['你好 мир',                       ['你好', 'мир']],
  ["it's 'a' & b | !c <-> d:*",     ['it', 's', 'a', 'b', 'c', 'd']],
  ['a\ud800b',                      ['a', 'b']],
  ['x'.repeat(5000),                ['x'.repeat(64)]],
  ['𝒳'.normalize().repeat(100),     ['x'.repeat(64)]],
]
for (const [text, words] of TEXTS)
  test(`the words of ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.deepEqual(wordsOf(text), words)
  })

test('a message of any size has few words', () => {
  const many = wordsOf(Array.from({ length: 1_000_000 }, (_, n) => `w${n}`).join(' '))
  assert.equal(many.length, 2000)
  for (const unit of ['\u0301', '\u0301\u0323', '\ufdfa', 'a', 'a\u0301', '\ufdfa '])
    assert.ok(wordsOf(unit.repeat(100_000)).length < 2000)
})
