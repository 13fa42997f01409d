import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../../../test/client.ts'
import { CATALOG, CatalogRows } from '../../../../test/secondaries.ts'
import { Catalog } from './catalog.ts'
import { CatalogKeeper } from './catalog-keeper.ts'
import type { CatalogStore, TransferZone } from './source.ts'

/** A process: the zones that it serves, and its own sight of the catalog. */
function startProcess(store: CatalogStore, zones: Map<string, string>) {
  const catalog = new Catalog(CATALOG)
  const seen = { changes: 0, troubles: [] as unknown[] }
  const keeper = new CatalogKeeper({
    catalog,
    store,
    source: {
      zone: (apex) => {
        const memberId = zones.get(apex)
        return memberId === undefined ? undefined : ({ memberId } as TransferZone)
      },
    },
    onChange: () => void seen.changes++,
    onError: (error) => void seen.troubles.push(error),
  })
  const change = (name: string, memberId: string | undefined) => {
    if (memberId === undefined) zones.delete(name)
    else zones.set(name, memberId)
    keeper.changed(name)
  }
  for (const name of zones.keys()) keeper.changed(name)
  return {
    catalog,
    keeper,
    change,
    seen,
    [Symbol.asyncDispose]: () => keeper[Symbol.asyncDispose](),
  }
}

const membersOf = (catalog: Catalog) =>
  Object.fromEntries([...catalog.names].toSorted().map((name) => [name, catalog.memberId(name)]))

const settles = (catalog: Catalog, expected: Record<string, string>) =>
  until(
    async () => JSON.stringify(membersOf(catalog)),
    (members) => members === JSON.stringify(expected),
  )

test('at its start the catalog becomes what is served, and lets go of what is not', async () => {
  const rows = new CatalogRows()
  await rows.store().write(1, [{ name: 'gone.test.', memberId: 'g', isAdded: true }])
  rows.abandon()
  await using first = startProcess(
    rows.store(),
    new Map([
      ['a.test.', '1'],
      ['b.test.', '2'],
    ]),
  )
  first.keeper.start()
  await settles(first.catalog, { 'a.test.': '1', 'b.test.': '2' })
  first.change('a.test.', undefined)
  first.change('b.test.', '3')
  await settles(first.catalog, { 'b.test.': '3' })
  assert.equal(first.catalog.serial, 1 + 1 + 3 + 3)
})

test('when the process that writes ends, another writes what it has seen change', async () => {
  const rows = new CatalogRows()
  await using first = startProcess(rows.store(), new Map([['a.test.', '1']]))
  first.keeper.start()
  await settles(first.catalog, { 'a.test.': '1' })
  await using second = startProcess(rows.store(), new Map([['a.test.', '1']]))
  second.keeper.start()
  second.change('b.test.', '2')
  await first.keeper[Symbol.asyncDispose]()
  await settles(second.catalog, { 'a.test.': '1', 'b.test.': '2' })
})

test('two processes have the same catalog at the same serial, and one of them writes', async () => {
  const rows = new CatalogRows()
  await using first = startProcess(rows.store(), new Map([['a.test.', '1']]))
  await using second = startProcess(rows.store(), new Map([['a.test.', '1']]))
  first.keeper.start()
  await settles(first.catalog, { 'a.test.': '1' })
  second.keeper.start()
  await settles(second.catalog, { 'a.test.': '1' })
  // The second has heard of a change that the first has not, and may not write.
  second.change('b.test.', '2')
  first.change('c.test.', '3')
  await settles(second.catalog, { 'a.test.': '1', 'c.test.': '3' })
  first.change('b.test.', '2')
  second.change('c.test.', '3')
  await settles(second.catalog, { 'a.test.': '1', 'b.test.': '2', 'c.test.': '3' })
  assert.equal(first.catalog.serial, second.catalog.serial)
  assert.ok(second.seen.changes >= 2, 'secondaries are told by either')
})

test('what a process wrote that had fallen behind is put right by the next that writes', async () => {
  const rows = new CatalogRows()
  const behind = rows.store()
  await behind.write(1, [{ name: 'a.test.', memberId: '1', isAdded: true }])
  await using one = startProcess(rows.store(), new Map([['a.test.', '1']]))
  one.keeper.start()
  await settles(one.catalog, { 'a.test.': '1' })
  await behind.write(2, [
    { name: 'a.test.', memberId: '1', isAdded: false },
    { name: 'gone.test.', memberId: '2', isAdded: true },
  ])
  await settles(one.catalog, { 'gone.test.': '2' })
  await behind.release()
  await settles(one.catalog, { 'a.test.': '1' })
})

test('while the rows cannot be reached the catalog stays, and no change is lost', async () => {
  const rows = new CatalogRows()
  const store = rows.store()
  let isAway = false
  const flaky: CatalogStore = {
    ...store,
    since: (serial) => (isAway ? Promise.reject(new Error('away')) : store.since(serial)),
  }
  await using one = startProcess(flaky, new Map([['a.test.', '1']]))
  one.keeper.start()
  await settles(one.catalog, { 'a.test.': '1' })
  isAway = true
  one.change('b.test.', '2')
  await until(
    async () => one.seen.troubles.length,
    (troubles) => troubles > 0,
  )
  assert.deepEqual(membersOf(one.catalog), { 'a.test.': '1' })
  isAway = false
  await settles(one.catalog, { 'a.test.': '1', 'b.test.': '2' })
})
