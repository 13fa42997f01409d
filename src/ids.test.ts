import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newId } from './ids.ts'

test('an id is a UUIDv7 of this moment', () => {
  const before = Date.now()
  const id = newId()
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const ms = Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)
  assert.ok(ms >= before && ms <= Date.now() + 1)
})

test('ids sort in the order they were made in, though many are made in a millisecond', () => {
  const ids = Array.from({ length: 20_000 }, () => newId())
  assert.deepEqual(ids.toSorted(), ids)
  assert.equal(new Set(ids).size, ids.length)
})

test('so they do while the clock goes back', (t) => {
  const now = Date.now() + 60_000
  t.mock.method(Date, 'now', () => now)
  const first = newId()
  t.mock.method(Date, 'now', () => now - 5000)
  assert.ok(newId() > first)
})
