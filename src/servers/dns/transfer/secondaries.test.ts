import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CATALOG, CatalogRows } from '../../../../test/secondaries.ts'
import { encodeZone } from '../store/encode.ts'
import { ZoneStore } from '../store/store.ts'
import { Secondaries } from './secondaries.ts'

function world() {
  const store = new ZoneStore()
  const secondaries = new Secondaries(store, {
    notify: [],
    keys: [],
    addresses: [],
    catalogApex: CATALOG,
    nowS: () => 0,
    onTrouble: (sentence) => assert.fail(sentence),
  })
  const zone = { apex: 'acme.example.', nameservers: ['ns.example.net.'], serial: 1, rrsets: [] }
  store.put(encodeZone(zone).blob, () => secondaries.changed(zone.apex, { memberId: 'id' }))
  const rows = new CatalogRows()
  const written = Promise.withResolvers<void>()
  const rowsStore = rows.store()
  const catalogStore = {
    ...rowsStore,
    write: async (...change: Parameters<typeof rowsStore.write>) => {
      const isWritten = await rowsStore.write(...change)
      written.resolve()
      return isWritten
    },
  }
  const onError = (error: unknown) => assert.fail(String(error))
  return { secondaries, rows, written, options: { catalogStore, from: [], onError } }
}

test('what was served before the start is in the catalog, and again after another start', async () => {
  const { secondaries, rows, written, options } = world()
  const ready = Promise.withResolvers<void>()
  const following = secondaries.startAfter(ready.promise, options)
  ready.resolve()
  await written.promise
  await following[Symbol.asyncDispose]()
  assert.deepEqual([...rows.catalog.names], ['acme.example.'])
  secondaries.changed('acme.example.', undefined)
  await using _again = await secondaries.start(options)
  while ([...rows.catalog.names].length > 0) await new Promise(setImmediate)
})

test('nothing is written before the zones are up to date, nor when nobody wants it any more', async () => {
  const { secondaries, rows, options } = world()
  const ready = Promise.withResolvers<void>()
  const following = secondaries.startAfter(ready.promise, options)
  await following[Symbol.asyncDispose]()
  ready.resolve()
  await new Promise(setImmediate)
  assert.deepEqual([...rows.catalog.names], [])
  assert.equal(rows.catalog.serial, 1)
})
