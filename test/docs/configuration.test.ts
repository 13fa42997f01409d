/** docs/configuration.md lists every setting as the code reads it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { readConfig, SETTINGS } from '#config/settings.ts'

const PAGE = readFileSync('docs/configuration.md', 'utf8')
const SECTION = PAGE.split('## Settings')[1]!.split('\n## ')[0]!
const ROWS = [...SECTION.matchAll(/^\| `([A-Z_]+)` \| (.+?) \| (.+?) \| (.+?) \|$/gm)]

test('every setting has one row, with its unit and default', () => {
  const documented = ROWS.map(([, name, unit, fallback]) => [name, unit, fallback])
  const built = Object.values(SETTINGS).map(({ name, unit, fallback }) => [
    name,
    unit,
    fallback === '' ? 'none' : `\`${fallback}\``,
  ])
  assert.deepEqual(documented.toSorted(), built.toSorted())
  assert.equal(ROWS.length, SECTION.match(/^\| `/gm)?.length, 'a row that cannot be read')
})

test('a row says what the setting is, and whether it is secret', () => {
  const secret = new Map<string, boolean>(
    Object.values(SETTINGS).map((setting) => [setting.name, 'secret' in setting]),
  )
  for (const [, name, , , sentence] of ROWS) {
    assert.match(sentence!, /^[A-Z].*\.$/, name)
    assert.equal(/ Secret\.$/.test(sentence!), secret.get(name!), name)
  }
})

test('the certificates that Node takes from the environment are told of', () => {
  assert.match(PAGE, /`NODE_EXTRA_CA_CERTS`/)
})

test('every role has its row', () => {
  const rows = [...PAGE.matchAll(/^\| `([a-z]+)` \| .+ \|$/gm)].map(([, role]) => role)
  assert.deepEqual(rows, [...readConfig({}).roles])
})

test('a variable that is set but empty counts as not set', () => {
  const empty = Object.fromEntries(Object.values(SETTINGS).map(({ name }) => [name, '']))
  assert.deepEqual(readConfig(empty), readConfig({}))
})
