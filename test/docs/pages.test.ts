/** What holds for all pages, and for all files: links lead somewhere, and nobody's machine is named. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'

const PAGES = globSync(['*.md', 'docs/**/*.md'])

/** Everything that is, or would be, in the repository. */
function repositoryFiles(): string[] {
  if (!existsSync('.git'))
    return globSync(['*', '{src,test,docs,demo,bench,migrations,scripts}/**/*'])
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'])
  return listed.toString().split('\0').filter(Boolean)
}

const FILES = repositoryFiles().filter((file) => existsSync(file) && statSync(file).isFile())

test('every relative link leads to a file, and to a heading where it names one', () => {
  for (const page of PAGES) {
    for (const [, target] of readFileSync(page, 'utf8').matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue
      const [path = '', anchor] = target!.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      assert.ok(existsSync(file), `${page}: ${target}`)
      if (anchor !== undefined) assert.ok(anchorsOf(file).has(anchor), `${page}: ${target}`)
    }
  }
})

/** As most renderers make them. */
function anchorsOf(page: string): Set<string> {
  const headings = [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)]
  return new Set(
    headings.map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\w\s-]/g, '')
        .replace(/\s/g, '-'),
    ),
  )
}

test('every page of docs/ is reached from README.md', () => {
  const reached = new Set(['README.md'])
  for (const page of reached) {
    for (const [, target] of readFileSync(page, 'utf8').matchAll(/\]\(([^)\s#]+)[^)]*\)/g)) {
      const file = join(dirname(page), target!)
      if (!/^[a-z]+:/.test(target!) && file.endsWith('.md')) reached.add(file)
      if (existsSync(file) && statSync(file).isDirectory()) {
        for (const inside of globSync(join(file, '*.md'))) reached.add(inside)
      }
    }
  }
  assert.deepEqual(
    PAGES.filter((page) => !reached.has(page)),
    [],
  )
})

test('every decision has its number, its context, its choice and its consequence', () => {
  const decisions = globSync('docs/decisions/[0-9]*.md').toSorted()
  decisions.forEach((file, index) => {
    const number = String(index + 1)
    assert.ok(file.includes(`/${number.padStart(4, '0')}-`), file)
    const headings = [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map(
      ([, each]) => each!,
    )
    assert.ok(headings[0]!.startsWith(`${number}. `), file)
    assert.deepEqual(headings.slice(1), ['Context', 'Choice', 'Consequence'], file)
  })
})

test('the changelog tells operators what is not released yet', () => {
  const [, newest] = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m)
  assert.match(newest!, /^Unreleased\n/)
  assert.match(newest!, /^- \*\*/m)
})

test('the license is the one that package.json names', () => {
  const license = readFileSync('LICENSE', 'utf8')
  assert.match(license, /Apache License\n\s+Version 2\.0, January 2004/)
  assert.match(license, /Copyright 2026 the Mailstead authors/)
  assert.equal(JSON.parse(readFileSync('package.json', 'utf8')).license, 'Apache-2.0')
})

/** Spelled so that this file does not name them itself. */
// biome-ignore format: a table
const PRIVATE: readonly [what: string, pattern: RegExp][] = [
  ['a path of the machine it was written on', /(?<![\w.)}\]])[/]work[/]/],
  ['a home directory',                        /(?<![\w.])[/](?:home|Users)[/][a-z]/],
  ['a package registry',                      /\bregistry[.][a-z0-9-]+[.][a-z]{2,}/],
  ['where a package was fetched from',        /"resolved"\s*:\s*"http/],
]

test('no file names a machine, or where packages come from', () => {
  assert.ok(FILES.includes('package-lock.json'))
  for (const file of FILES) {
    const text = readFileSync(file, 'latin1')
    for (const [what, pattern] of PRIVATE) {
      assert.equal(pattern.exec(text)?.[0], undefined, `${file} names ${what}`)
    }
  }
})
