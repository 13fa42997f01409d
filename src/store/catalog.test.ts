import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { sql } from 'kysely'
import { testStore } from '../../test/store.ts'
import { catalogStore } from './catalog.ts'
import { platformSerial } from './platform-serials.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())

const KEPT = 5
const change = (name: string, isAdded: boolean, memberId = `id-${name}`) => ({
  name: `${name}.test.`,
  memberId,
  isAdded,
})
const open = (apex: string) => catalogStore(store, apex, KEPT)

test('what one process writes, another reads: members, serial and changes', async () => {
  const [one, two] = [open('shared.test.'), open('shared.test.')]
  assert.deepEqual(await one.read(), { serial: 1, members: [], latest: [] })
  const changes = [change('a', true), change('b', true), change('a', false), change('a', true, 'x')]
  assert.equal(await one.write(1, changes), true)
  const { serial, members, latest } = await two.read()
  assert.equal(serial, 5)
  assert.deepEqual(
    new Map(members),
    new Map([
      ['a.test.', 'x'],
      ['b.test.', 'id-b'],
    ]),
  )
  assert.deepEqual(latest, changes)
  assert.deepEqual(await two.since(3), changes.slice(2))
  assert.deepEqual(await two.since(5), [])
})

test('one process writes, and another only when the first has been silent for its time', async () => {
  const [one, two] = [open('held.test.'), open('held.test.')]
  await one.read()
  assert.equal(await one.write(1, [change('a', true)]), true)
  assert.equal(await two.write(2, [change('b', true)]), false)
  assert.equal(await one.write(2, []), true, 'no changes keep it')
  await sql`update catalogs set until = now() - interval '1 second' where apex = 'held.test.'`.execute(
    store.db,
  )
  assert.equal(await two.write(2, [change('b', true)]), true)
  assert.equal(await one.write(3, [change('c', true)]), false)
  await one.release()
  assert.equal(await one.write(3, [change('c', true)]), false, 'only the holder releases it')
  await two.release()
  assert.equal(await one.write(3, [change('c', true)]), true)
})

test('nothing is written behind a serial that is not the last', async () => {
  const one = open('serial.test.')
  await one.read()
  assert.equal(await one.write(1, [change('a', true)]), true)
  for (const serial of [0, 1, 3]) assert.equal(await one.write(serial, [change('b', true)]), false)
  assert.equal((await one.read()).serial, 2)
})

test('two that write at once: one does, the other does not', async () => {
  const [one, two] = [open('race.test.'), open('race.test.')]
  await one.read()
  const written = await Promise.all([one, two].map((each) => each.write(1, [change('a', true)])))
  assert.deepEqual(written.toSorted(), [false, true])
})

test('the latest changes are kept, and a serial before them or ahead of us is not known', async () => {
  const one = open('kept.test.')
  await one.read()
  for (let serial = 1; serial <= 8; serial++)
    await one.write(serial, [change('a', serial % 2 === 1)])
  assert.equal((await one.read()).latest.length, KEPT)
  assert.equal((await one.since(4))?.length, KEPT)
  assert.equal(await one.since(3), undefined)
  assert.equal(await one.since(10), undefined)
})

test('a catalog that is gone from the database is read anew', async () => {
  const one = open('restored.test.')
  await one.read()
  await one.write(1, [change('a', true)])
  await sql`delete from catalogs where apex = 'restored.test.'`.execute(store.db)
  assert.equal(await one.since(2), undefined)
})

test('the serial of a platform zone rises with its content, whoever writes it', async () => {
  const rows: [digest: string, expected: number][] = [
    ['x', 1],
    ['x', 1],
    ['y', 2],
    ['x', 3],
    ['x', 3],
  ]
  for (const [digest, expected] of rows)
    assert.equal(await platformSerial(store.db, 'ns.test.', digest), expected)
})
