/** Each leaf of the attack tree names a test that is there. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const PAGE = readFileSync('docs/custody.md', 'utf8')
const LEAF = /\[([\w.-]+)\]\(\.\.\/([\w./-]+)\): “(.+)” \|$/

test('each leaf of the attack tree names a test that is there', () => {
  const leaves = PAGE.split('\n').filter(
    (line) => line.startsWith('| ') && !line.startsWith('| Attack'),
  )
  assert.ok(leaves.length > 15)
  for (const leaf of leaves) {
    const [, shown, file, sentence] = LEAF.exec(leaf) ?? assert.fail(`no test: ${leaf}`)
    assert.ok(existsSync(file!), file)
    assert.equal(shown, file!.split('/').at(-1))
    assert.ok(readFileSync(file!, 'utf8').includes(sentence!), `${file}: ${sentence}`)
  }
})
