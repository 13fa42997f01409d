import assert from 'node:assert/strict'
import { mkdir, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { temporaryDirectory } from '../../test/directories.ts'
import { makeLinks } from './binaries.ts'

describe('the links between libraries', () => {
  const links = [{ source: 'native/lib/libpq.so.5.18', target: 'native/lib/libpq.so.5' }]

  test('are made where they are missing, also by two at once', async () => {
    await using place = await temporaryDirectory()
    await mkdir(join(place.path, 'native/lib'), { recursive: true })
    await writeFile(join(place.path, 'native/lib/libpq.so.5.18'), '')
    await writeFile(join(place.path, 'native/pg-symlinks.json'), JSON.stringify(links))
    await Promise.all([makeLinks(place.path), makeLinks(place.path)])
    assert.equal(await readlink(join(place.path, 'native/lib/libpq.so.5')), 'libpq.so.5.18')
  })

  test('that cannot be made are named', async () => {
    await using place = await temporaryDirectory()
    await mkdir(join(place.path, 'native'))
    await writeFile(join(place.path, 'native/pg-symlinks.json'), JSON.stringify(links))
    await assert.rejects(makeLinks(place.path), { message: /libpq\.so\.5 to libpq\.so\.5\.18/ })
  })
})
