import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PassCache } from './pass-cache.ts'

/** Counts how often it is read. */
function counted() {
  const known = new PassCache<number>()
  let reads = 0
  return { known, read: (key = 'a') => known.get(key, async () => ++reads) }
}

test('each thing is read once, by however many at once', async () => {
  const { read } = counted()
  assert.deepEqual(await Promise.all([read(), read(), read('b')]), [1, 1, 2])
  assert.equal(await read(), 1)
})

test('what was written is read again, and only that', async () => {
  const { known, read } = counted()
  await Promise.all([read(), read('b')])
  assert.equal(await known.writing('a', async () => 'written'), 'written')
  assert.deepEqual([await read(), await read('b')], [3, 2])
})

test('so is what could not be written, for it may have been in part', async () => {
  const { known, read } = counted()
  await read()
  await assert.rejects(known.writing('a', async () => assert.fail('lost')))
  assert.equal(await read(), 2)
})

test('what could not be read is not remembered', async () => {
  const known = new PassCache<number>()
  await assert.rejects(known.get('a', async () => assert.fail('away')))
  assert.equal(await known.get('a', async () => 7), 7)
})
