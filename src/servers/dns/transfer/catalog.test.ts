import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TYPE } from '#dns/types.ts'
import { Catalog } from './catalog.ts'
import { behindBy, serialOf } from './serial.ts'
import { type CatalogChange, CHANGES_KEPT, type TransferRRset } from './source.ts'

const COMPARED: [ours: number, theirs: number, expected: number | undefined][] = [
  [1, 1, undefined],
  [2, 1, 1],
  [1, 2, undefined],
  [0, 2 ** 32 - 1, 1],
  [2 ** 32 - 1, 0, undefined],
  [2 ** 31 - 1, 0, 2 ** 31 - 1],
  [2 ** 31, 0, undefined],
  [2 ** 32 + 5, 3, 2],
]

for (const [ours, theirs, expected] of COMPARED) {
  test(`serials: ${theirs} is behind ${ours} by ${expected ?? 'nothing'}`, () => {
    assert.equal(behindBy(ours, theirs), expected)
  })
}

const added = (name: string, memberId = `id-${name}`): CatalogChange => ({
  name: `${name}.example.`,
  memberId,
  isAdded: true,
})
const removed = (name: string, memberId = `id-${name}`): CatalogChange => ({
  ...added(name, memberId),
  isAdded: false,
})

function catalogAfter(...changes: CatalogChange[]): Catalog {
  const catalog = new Catalog('catalog.test.')
  catalog.replace(1, [], [])
  catalog.apply(changes)
  return catalog
}

const owners = (rrsets: Iterable<TransferRRset>) =>
  [...rrsets].filter(({ type }) => type === TYPE.PTR).map(({ name }) => name.split('.')[0]!)

const MANY = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => added(name))

const SINCE: [sentence: string, Catalog, serial: number, string | [string[], string[]]][] = [
  ['nothing is new', catalogAfter(...MANY), 7, 'nothing'],
  ['they are ahead of us, as after a restored backup', catalogAfter(...MANY), 9, 'nothing'],
  ['one was added', catalogAfter(...MANY), 6, [[], ['id-f']]],
  ['one was removed', catalogAfter(...MANY, removed('a')), 7, [['id-a'], []]],
  ['one was added and removed again', catalogAfter(...MANY, added('x'), removed('x')), 7, [[], []]],
  [
    'one was removed and added as it was',
    catalogAfter(...MANY, removed('a'), added('a')),
    7,
    [[], []],
  ],
  [
    'one was added anew',
    catalogAfter(...MANY, removed('a'), added('a', 'id-2')),
    7,
    [['id-a'], ['id-2']],
  ],
  [
    'it is shorter to send all',
    catalogAfter(...MANY, ...MANY.slice(1).map((m) => removed(m.name[0]!))),
    7,
    'everything',
  ],
  ['they know a serial that we never had', catalogAfter(...MANY), 2 ** 32 - 5, 'everything'],
]

for (const [sentence, catalog, serial, expected] of SINCE) {
  test(`since a serial: ${sentence}`, () => {
    const since = catalog.since(serial)
    if (typeof since === 'string') return assert.equal(since, expected)
    assert.deepEqual([owners(since.removed), owners(since.added)], expected)
    assert.equal(serialOf(since.before.records[0]!.octets), serial)
  })
}

test('the latest 100,000 changes are kept, and who is further behind takes all', () => {
  const catalog = catalogAfter()
  const churn = [added('x'), removed('x')]
  const rounds = CHANGES_KEPT / 10
  for (let round = 0; round < 12; round++)
    catalog.apply(Array.from({ length: rounds / 2 }, () => churn).flat())
  const { serial } = catalog
  assert.notEqual(catalog.since(serial - CHANGES_KEPT), 'everything')
  assert.equal(catalog.since(1), 'everything')
})

test('what was being read of it stays as it was', () => {
  const catalog = catalogAfter(...MANY)
  const rrsets = catalog.rrsets()
  catalog.apply([removed('a')])
  assert.equal(owners(rrsets).length, MANY.length)
})

test('property: the difference since any serial leads from that version to this', () => {
  const step = fc.record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    id: fc.nat(2),
    isAdded: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.nat(40), (steps, cut) => {
      const catalog = catalogAfter(...MANY)
      const versions = [[...owners(catalog.rrsets())]]
      for (const { name, id, isAdded } of steps) {
        const have = catalog.memberId(`${name}.example.`)
        if (isAdded === (have !== undefined)) continue
        catalog.apply([isAdded ? added(name, `${name}${id}`) : removed(name, have)])
        versions.push(owners(catalog.rrsets()))
      }
      const from = cut % versions.length
      const since = catalog.since(1 + MANY.length + from)
      if (typeof since === 'string') return
      const members = new Set(versions[from])
      for (const owner of owners(since.removed)) assert.ok(members.delete(owner))
      for (const owner of owners(since.added)) members.add(owner)
      assert.deepEqual([...members].toSorted(), owners(catalog.rrsets()).toSorted())
    }),
    { numRuns: 2000 },
  )
})
