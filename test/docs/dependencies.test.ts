/** docs/decisions/dependencies.md gives the reason for every package that we depend on. */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const MANIFEST = JSON.parse(readFileSync('package.json', 'utf8'))
const PAGE = readFileSync('docs/decisions/dependencies.md', 'utf8')

// biome-ignore format: a table
const SECTIONS: readonly [title: string, field: string][] = [
  ['At run time',               'dependencies'],
  ['Where the platform has it', 'optionalDependencies'],
  ['For development',           'devDependencies'],
]

for (const [title, field] of SECTIONS) {
  test(`"${title}" lists the ${field} of package.json, with a reason and a keeper each`, () => {
    const section = PAGE.split(`## ${title}\n`)[1]!.split('\n## ')[0]!
    const rows = [...section.matchAll(/^\| `(.+?)` \| (.+\.) \| (.+\.) \| (\S.*) \|$/gm)]
    const listed = rows.map(([, name]) => name)
    assert.deepEqual(listed.toSorted(), Object.keys(MANIFEST[field]).toSorted())
  })
}

test('every version is exact', () => {
  for (const [, field] of SECTIONS) {
    for (const [name, version] of Object.entries(MANIFEST[field])) {
      assert.match(String(version), /^\d+\.\d+\.\d+(-[\w.]+)?$/, name)
    }
  }
})

test('every package that runs is imported, and every import is of a package that is named', () => {
  const imported = new Set<string>()
  // Tests, and the suites that drivers are held to, may use what is for development.
  const runs = globSync(['src/**/*.ts', 'migrations/*.ts']).filter(
    (file) => !/(\.test|\/conformance)\.ts$/.test(file),
  )
  for (const file of runs) {
    const text = readFileSync(file, 'utf8')
    const written =
      /^(?:import|export|\}) .*?from '([^'.#][^']*)'|await import\('([^'.#][^']*)'\)/gm
    for (const [, statically, lazily] of text.matchAll(written)) {
      const name = statically ?? lazily!
      if (!name.startsWith('node:')) imported.add(packageOf(name))
    }
  }
  // Of the optional ones this is imported, by a thread that ends where it is not there.
  imported.delete('koffi')
  assert.deepEqual([...imported].toSorted(), Object.keys(MANIFEST.dependencies).toSorted())
})

const packageOf = (written: string): string =>
  written.split('/', written.startsWith('@') ? 2 : 1).join('/')
