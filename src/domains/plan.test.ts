import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Change, RRset, RRsetType } from '#drivers/zone/contract.ts'
import { memoryZoneDriver } from '#drivers/zone/memory.ts'
import { planZone } from './plan.ts'

const rrset = (name: string, type: RRsetType, ...data: string[]): RRset => {
  return { name, type, ttl: 300, data }
}

const MX = rrset('acme.test.', 'MX', '10 a.test.', '20 b.test.')
const TXT = rrset('acme.test.', 'TXT', 'v=spf1 -all', 'x')
const WWW = rrset('www.acme.test.', 'A', '192.0.2.1')
const drop = ({ name, type }: RRset): Change => ({ drop: { name, type } })
const put = (rrset: RRset): Change => ({ put: rrset })

const TURNED: RRset = { ...MX, data: MX.data.toReversed() }
const SLOWER: RRset = { ...MX, ttl: 600 }
const FEWER: RRset = { ...MX, data: ['10 a.test.'] }
const SHOUTED: RRset = { ...TXT, data: ['V=SPF1 -ALL', 'x'] }

// biome-ignore format: a table
const PLANS: [what: string, current: RRset[], desired: RRset[], changes: Change[]][] = [
  ['nothing for nothing',                        [],          [],          []],
  ['nothing where all is as it should be',       [MX, TXT],   [TXT, MX],   []],
  ['nothing for values in another order',        [MX],        [TURNED],    []],
  ['nothing for values that are out of order',   [TURNED],    [MX],        []],
  ['a put for what is not there',                [],          [MX],        [put(MX)]],
  ['a drop for what should not be there',        [MX],        [],          [drop(MX)]],
  ['a put for another TTL',                      [MX],        [SLOWER],    [put(SLOWER)]],
  ['a put for a value less',                     [MX],        [FEWER],     [put(FEWER)]],
  ['a put for a value more',                     [FEWER],     [MX],        [put(MX)]],
  ['a put for a value in other case',            [TXT],       [SHOUTED],   [put(SHOUTED)]],
  ['one change for one rrset among several',     [MX, TXT],   [MX],        [drop(TXT)]],
  ['changes of its own for each type of a name', [MX],        [TXT],       [drop(MX), put(TXT)]],
  ['drops before puts',                          [TXT],       [MX, WWW],   [drop(TXT), put(MX), put(WWW)]],
  ['nothing for the same type at another name',  [MX, WWW],   [MX, WWW],   []],
]

for (const [what, current, desired, changes] of PLANS)
  test(`plans ${what}`, () => assert.deepEqual(planZone(current, desired), changes))

test('a plan that is carried out makes the zone as it should be, and leaves nothing to plan', async ({
  signal,
}) => {
  for (const [what, current, desired] of PLANS) {
    const driver = memoryZoneDriver()
    const claim = { claimId: 'c', name: 'acme.test', nameservers: [] }
    await driver.ensureZone(claim, signal)
    await driver.changeZone(claim, current.map(put), signal)
    await driver.changeZone(claim, planZone(current, desired), signal)
    const left = (await driver.readZone(claim, signal)) ?? []
    assert.deepEqual(planZone(left, desired), [], what)
    assert.equal(left.length, desired.length, what)
  }
})

test('a plan changes neither of what it compares', () => {
  for (const [, current, desired] of PLANS) {
    const before = structuredClone([current, desired])
    planZone(Object.freeze(current), Object.freeze(desired))
    assert.deepEqual([current, desired], before)
  }
})
