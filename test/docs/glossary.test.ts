/** docs/glossary.md holds the words that the code uses, and the code none that it forbids. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'

const PAGE = readFileSync('docs/glossary.md', 'utf8')
const FILES = globSync(['src/**/*.ts', 'migrations/*.ts'])

/** Words that would be sensible names of things, had we not another for the same. */
// biome-ignore format: a table
const FORBIDDEN: readonly [what: RegExp, instead: string][] = [
  [/(Manager|Helper|Util|Utils|Processor)$/,  'say what it does'],
  [/(record_?set|resource_?record_?set)/i,    'rrset'],
  [/dns_?server/i,                            'nameserver'],
  [/(black|white)_?list/i,                    'say who is refused, and why'],
  [/(hard|soft)_?bounce/i,                    'bounce, or deferred'],
  [/plugin|adapter/i,                         'driver'],
]

/** Names without comments and strings, which may speak of others' words. */
function identifiersOf(text: string): Set<string> {
  const code = text
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, ' ')
  // Functions of Postgres have the names it gave them, and so have settings of Dovecot.
  const isTheirs = (name: string) => /^(jsonb_\w+|plugin|mail_plugins)$/.test(name)
  return new Set(code.match(/[A-Za-z_]\w*/g)?.filter((name) => !isTheirs(name)))
}

test('no name in the code is a word that the glossary forbids', () => {
  for (const file of FILES) {
    const names = [...identifiersOf(readFileSync(file, 'utf8')), basename(file, '.ts')]
    for (const name of names) {
      const found = FORBIDDEN.find(([what]) => what.test(name))
      assert.equal(found, undefined, `${file}: ${name}; ${found?.[1]}`)
    }
  }
})

test("the API's word for an inbox stays in the API", () => {
  for (const file of FILES.filter((each) => !each.startsWith('src/api/'))) {
    for (const name of identifiersOf(readFileSync(file, 'utf8'))) {
      assert.doesNotMatch(name, /sender_?account/i, file)
    }
  }
})

test('every word of the glossary is used', () => {
  const text = FILES.map((file) => readFileSync(file, 'utf8'))
    .join('\n')
    .toLowerCase()
  const spoken = text.replace(/[\s_*/]+/g, ' ')
  const words = [...PAGE.matchAll(/\*\*(.+?)\*\*/g)].map(([, word]) => word!.toLowerCase())
  assert.ok(words.length > 50)
  for (const word of words) {
    const joined = word.replaceAll(' ', '')
    assert.ok(spoken.includes(word) || text.includes(joined), word)
  }
})

test('no word has two rows', () => {
  const rows = PAGE.split('\n').filter((line) => line.startsWith('| **'))
  const words = rows.flatMap((row) => row.split('|')[1]!.match(/\*\*.+?\*\*/g)!)
  assert.deepEqual(words.toSorted(), [...new Set(words)].toSorted())
  for (const row of rows) assert.equal(row.split('|').length, 5, row)
})
