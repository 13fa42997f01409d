import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { zoneStore } from '#store/zones.ts'
import { testStore } from '../../../../test/store.ts'
import { zoneDriverConformance } from '../conformance.ts'
import type { ClaimRef, RRset } from '../contract.ts'
import { objectionTo } from '../objections.ts'
import { embeddedZoneDriver } from './driver.ts'
import { excuses } from './excuses.ts'

const store = await testStore()
after(() => store[Symbol.asyncDispose]())
const { db, doorbell } = store
const driver = embeddedZoneDriver(zoneStore(store, 'sandbox'))

const claimOn = (name: string, ...nameservers: string[]): ClaimRef => {
  return { claimId: randomUUID(), name, nameservers }
}

zoneDriverConformance(
  'embedded',
  async () => ({
    driver,
    claim: claimOn('conformance.example', 'ada.ns.example', 'kit.ns.example'),
    rival: claimOn('conformance.example', 'bob.ns.example', 'kit.ns.example'),
    async [Symbol.asyncDispose]() {},
  }),
  excuses,
)

const row = async ({ claimId }: ClaimRef) =>
  db
    .selectFrom('zones')
    .select(['world', 'name', 'nameservers'])
    .where('claim_id', '=', claimId)
    .executeTakeFirst()

test('the nameservers of the zone are the pair of its claim', async ({ signal }) => {
  const claim = claimOn('pair.example', 'ada.ns.example', 'kit.ns.example')
  assert.deepEqual(await driver.ensureZone(claim, signal), { nameservers: claim.nameservers })
  const { world, name, nameservers } = (await row(claim))!
  assert.deepEqual([world, name, nameservers], ['sandbox', claim.name, claim.nameservers])
})

test('the serial grows with every change, and the servers are told of the name', async ({
  signal,
}) => {
  const claim = claimOn('serial.example', 'ada.ns.example', 'kit.ns.example')
  const toldOf = async () =>
    (await db
      .selectFrom('served_names')
      .select(['changed', 'serial'])
      .where('name', '=', claim.name)
      .executeTakeFirst())!
  await driver.ensureZone(claim, signal)
  const first = await toldOf()
  const told = [first.changed]
  await driver.changeZone(claim, [{ put: txt('serial.example.', 'a') }], signal)
  told.push((await toldOf()).changed)
  await driver.changeZone(claim, [{ put: txt('serial.example.', 'b') }], signal)
  told.push((await toldOf()).changed)
  await driver.removeZone(claim, signal)
  const last = await toldOf()
  assert.equal(new Set([...told, last.changed]).size, 4)
  assert.equal(Number(last.serial) - Number(first.serial), 3)
})

const GATHERED_MS = 50

test('every change rings for the nameservers', async ({ signal }) => {
  const claim = claimOn('ring.example', 'ada.ns.example', 'kit.ns.example')
  for (const act of [
    () => driver.ensureZone(claim, signal),
    () => driver.changeZone(claim, [{ put: txt('ring.example.', 'a') }], signal),
    () => driver.removeZone(claim, signal),
  ]) {
    await delay(GATHERED_MS) // An earlier ring must not be taken for this one.
    const rung = Promise.withResolvers<void>()
    using _bell = doorbell.on('served-names', rung.resolve)
    await act()
    await rung.promise
  }
})

const txt = (name: string, ...data: string[]): RRset => ({ name, type: 'TXT', ttl: 300, data })

// biome-ignore format: a table
const OBJECTIONS: [rrset: RRset, objection: RegExp | undefined][] = [
  [txt('a.test.', ''),                                                       undefined],
  [txt('a.test.', 'a'.repeat(4096)),                                         undefined],
  [{ ...txt('a.test.', 'a'), ttl: 0 },                                       undefined],
  [{ ...txt('a.test.', 'a'), ttl: 0x7fffffff },                              undefined],
  [{ name: 'a.test.', type: 'CNAME', ttl: 1, data: ['b.test.'] },            undefined],
  [txt('a.test.'),                                                           /TXT of a\.test\. has no value/],
  [txt('a.test.', 'a', 'a'.repeat(4097)),                                    /longer than 4096 octets/],
  [{ ...txt('a.test.', 'a'), ttl: -1 },                                      /TTL .* out of range/],
  [{ ...txt('a.test.', 'a'), ttl: 0x80000000 },                              /TTL .* out of range/],
  [{ name: 'a.test.', type: 'CNAME', ttl: 1, data: ['b.test.', 'c.test.'] }, /CNAME has one value/],
  [{ name: 'a.test.', type: 'MX', ttl: 1, data: [] },                        /MX of a\.test\. has no value/],
]

test('the embedded host objects to what it cannot hold, in a sentence', () => {
  for (const [rrset, objection] of OBJECTIONS) {
    const said = objectionTo(rrset)
    if (objection === undefined) assert.equal(said, undefined, JSON.stringify(rrset).slice(0, 80))
    else assert.match(said ?? '', objection)
  }
})

// What the contract of objectionTo asks for and the nameserver or the database refuses later.
// biome-ignore format: a table
const UNSERVABLE: RRset[] = [
  { name: 'a.test.', type: 'A', ttl: 300, data: ['192.0.2'] },
  { name: 'a.test.', type: 'MX', ttl: 300, data: ['mx.example.'] },
  { name: `${'a'.repeat(64)}.test.`, type: 'A', ttl: 300, data: ['192.0.2.1'] },
  { name: 'a.test.', type: 'A', ttl: 1.5, data: ['192.0.2.1'] },
  txt('a.test.', '"not ended'),
  txt('a.test.', '"\\999"'),
  { name: 'a.test.', type: 'CAA', ttl: 300, data: ['999 issue ca.example'] },
  { name: 'a.test.', type: 'CNAME', ttl: 300, data: ['bücher.example.'] },
  { name: 'a.test.', type: 'CNAME', ttl: 300, data: ['foo\nbar.'] },
  { name: 'a.test.', type: 'MX', ttl: 300, data: ['5 .'] },
  { name: 'a.test.', type: 'MX', ttl: 300, data: ['0 .', '10 mx.example.'] },
  { name: 'a.test.', type: 'TYPE65280', ttl: 300, data: ['abc'] },
  txt('a.test.', ...Array.from({ length: 17 }, (_, i) => `${i}`.padEnd(4000, 'x'))),
  txt('a.test.', 'ü'.repeat(2049)),
]

test('the embedded host objects to rdata that its nameservers could not serve', () => {
  for (const rrset of UNSERVABLE) assert.ok(objectionTo(rrset), JSON.stringify(rrset).slice(0, 80))
})
