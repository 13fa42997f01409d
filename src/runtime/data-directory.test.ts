import assert from 'node:assert/strict'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError } from '#config/settings.ts'
import { temporaryDirectory } from '../../test/directories.ts'
import { ensureSecretKey } from './data-directory.ts'

test('the key that encrypts secrets is made once, for its owner alone, and kept', async () => {
  await using directory = await temporaryDirectory()
  const made: string[] = []
  const first = await ensureSecretKey(directory.path, {
    mayMake: true,
    onMade: (path) => made.push(path),
  })
  const path = join(directory.path, 'secret.key')
  assert.deepEqual(made, [path])
  assert.equal(first.length, 32)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(
    await ensureSecretKey(directory.path, { mayMake: true, onMade: assert.fail }),
    first,
  )
})

test('first starts at once end with one key, which one of them made', async () => {
  await using directory = await temporaryDirectory()
  let made = 0
  const keys = await Promise.all(
    Array.from({ length: 20 }, () =>
      ensureSecretKey(directory.path, { mayMake: true, onMade: () => made++ }),
    ),
  )
  const kept = await readFile(join(directory.path, 'secret.key'), 'utf8')
  for (const key of keys) assert.equal(key.toString('base64'), kept)
  assert.equal(made, 1)
  assert.deepEqual(await readdir(directory.path), ['secret.key'])
})

const KEY = Buffer.alloc(32, 7).toString('base64')

// biome-ignore format: a table
const REFUSED: [what: string, content: string][] = [
  ['nothing',             ''],
  ['a blank',             '\n'],
  ['half a key',          KEY.slice(0, 22)],
  ['all but one octet',   Buffer.alloc(31, 7).toString('base64')],
  ['an octet too many',   Buffer.alloc(33, 7).toString('base64')],
  ['two keys',            `${KEY}\n${KEY}`],
  ['another alphabet',    KEY.replace('B', '-')],
  ['no base64',           '\0'.repeat(44)],
]

for (const [what, content] of REFUSED) {
  test(`a file with ${what} is not believed, and left as it is`, async () => {
    await using directory = await temporaryDirectory()
    const path = join(directory.path, 'secret.key')
    await writeFile(path, content)
    await assert.rejects(
      ensureSecretKey(directory.path, { mayMake: true, onMade: assert.fail }),
      (error) => {
        assert.ok(error instanceof ConfigError)
        assert.ok(error.message.startsWith(`${path} does not hold 32 octets in base64.`))
        return true
      },
    )
    assert.equal(await readFile(path, 'utf8'), content)
  })
}

test('a key that somebody put back with an editor is taken', async () => {
  await using directory = await temporaryDirectory()
  await writeFile(join(directory.path, 'secret.key'), `${KEY}\n`)
  assert.deepEqual(
    await ensureSecretKey(directory.path, { mayMake: true, onMade: assert.fail }),
    Buffer.alloc(32, 7),
  )
})
