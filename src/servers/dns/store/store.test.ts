import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../../../test/random.ts'
import { queryOf } from '../dig.ts'
import { Responder } from '../responder.ts'
import type { ServedZone } from '../zone.ts'
import { encodeWaiting, encodeZone, lowercaseWire } from './encode.ts'
import type { Growth } from './shared.ts'
import { ZoneStore } from './store.ts'
import { StoreView } from './view.ts'

const zone = (apex: string, ...texts: string[]): ServedZone => ({
  apex,
  nameservers: ['ns1.pool.test.'],
  serial: 1,
  rrsets: [{ name: apex, type: 'TXT', ttl: 60, data: texts }],
})
const blobOf = (...of: Parameters<typeof zone>) => encodeZone(zone(...of)).blob
const out = new Uint8Array(65_535)

/** The text of a TXT answer, or the RCODE of another. */
function said(responder: Responder, question: string): string {
  const query = queryOf(question)
  const length = responder.answer(query, 0, query.length, 'tcp', out, 0)
  const reply = Buffer.from(out.subarray(0, length))
  return reply[7] === 0 ? `rcode ${reply[3]! & 0x0f}` : reply.toString('latin1', query.length + 13)
}

const readerOf = (store: ZoneStore) => new Responder(new StoreView(store.shared))

test('a zone is served from its put to its delete, whatever the case of the question', () => {
  const store = new ZoneStore()
  const reader = readerOf(store)
  assert.equal(said(reader, 'acme.test. TXT'), 'rcode 5')
  store.put(blobOf('Acme.test.', 'one'))
  assert.equal(said(reader, 'aCMe.test. TXT'), 'one')
  store.put(blobOf('acme.test.', 'two'))
  assert.equal(said(reader, 'acme.test. TXT'), 'two')
  assert.equal(store.size, 1)
  store.delete(lowercaseWire('ACME.test.'))
  store.delete(lowercaseWire('never.test.'))
  assert.equal(said(reader, 'acme.test. TXT'), 'rcode 5')
  assert.equal(store.size, 0)
})

test('a change is told of when it is served: at once, or when every reader has the room for it', () => {
  const store = new ZoneStore()
  const reader = readerOf(store)
  const told: string[] = []
  const tell = (name: string) => () => told.push(`${name} ${said(reader, `${name} TXT`)}`)
  store.put(blobOf('first.test.', 'one'), tell('first.test.'))
  assert.deepEqual(told, ['first.test. one'])
  const growths: Growth[] = []
  const other = store.attach((growth) => growths.push(growth))
  for (let puts = 1; store.size === puts; puts++)
    store.put(blobOf(`z${puts}.test.`, 'x'.repeat(200)))
  told.length = 0
  store.put(blobOf('late.test.', 'x'.repeat(200)), tell('late.test.'))
  store.delete(lowercaseWire('first.test.'), tell('first.test.'))
  assert.deepEqual(told, [])
  for (const growth of growths) other.acknowledge(growth.number)
  assert.deepEqual(told, [`late.test. ${'x'.repeat(200)}`, 'first.test. rcode 5'])
})

test('a blob of another format is refused, and nothing is changed', () => {
  const store = new ZoneStore()
  const blob = blobOf('acme.test.', 'one')
  const older = blob.slice()
  older[11] = 99
  for (const bad of [older, blob.subarray(1), blob.subarray(0, -1), new Uint8Array(8)]) {
    assert.throws(() => store.put(bad), RangeError)
  }
  assert.equal(store.size, 0)
})

test('20,000 zones outgrow the first slab and the first index, and all are served', () => {
  const store = new ZoneStore()
  const reader = readerOf(store)
  for (let i = 0; i < 20_000; i++) store.put(blobOf(`z${i}.test.`, `text ${i}`))
  for (let i = 0; i < 20_000; i += 2) store.delete(lowercaseWire(`z${i}.test.`))
  assert.equal(store.size, 10_000)
  assert.ok(store.shared.slabs.length > 1)
  for (let i = 0; i < 20_000; i++) {
    assert.equal(said(reader, `z${i}.test. TXT`), i % 2 ? `text ${i}` : 'rcode 5')
  }
})

test('a zone of 3 MB, larger than the first slab, is served, and one of 64 MB refused', () => {
  const store = new ZoneStore()
  const reader = readerOf(store)
  const rrsets = Array.from(
    { length: 100_000 },
    (_, i) => ({ name: `n${i}.big.test.`, type: 'TXT', ttl: 60, data: [`text ${i}`] }) as const,
  )
  const { blob } = encodeZone({ ...zone('big.test.'), rrsets })
  assert.ok(blob.length > 2 ** 21)
  store.put(blob)
  for (const i of [0, 1, 77_777, 99_999]) {
    assert.equal(said(reader, `n${i}.big.test. TXT`), `text ${i}`)
  }
  assert.equal(said(reader, 'n100000.big.test. TXT'), 'rcode 3')
  const huge = Buffer.alloc(2 ** 26)
  blob.forEach((octet, i) => {
    if (i < 64) huge[i] = octet
  })
  huge.writeUInt32BE(huge.length, 0)
  assert.throws(() => store.put(huge), /larger than a slab/)
  assert.equal(store.size, 1)
})

test('room is used again: zones that change 200,000 times need no more of it', () => {
  const store = new ZoneStore()
  const random = seededRandom(7)
  const text = () => 'x'.repeat(1 + Math.floor(random() * 200))
  const blobs = Array.from({ length: 2000 }, (_, i) => blobOf(`z${i % 500}.test.`, text()))
  for (const blob of blobs) store.put(blob)
  const slabs = store.shared.slabs.length
  for (let i = 0; i < 200_000; i++) store.put(blobs[Math.floor(random() * blobs.length)]!)
  assert.equal(store.shared.slabs.length, slabs)
})

test('names that come and go leave no trace in the index', () => {
  const store = new ZoneStore()
  for (let i = 0; i < 50_000; i++) {
    store.put(blobOf(`z${i}.test.`, 'x'))
    store.delete(lowercaseWire(`z${i}.test.`))
  }
  assert.equal(store.shared.slabs.length, 1)
  const [index] = store.shared.indexes.values()
  assert.equal(store.shared.indexes.size, 1)
  assert.ok(index!.words.length <= 4096)
})

test('a slab is used when every reader in another thread has it, and changes keep their order', () => {
  const store = new ZoneStore()
  const posted: Growth[] = []
  const far = store.attach((growth) => posted.push(growth))
  const reader = readerOf(store)
  store.put(blobOf('first.test.', 'one'))
  assert.equal(said(reader, 'first.test. TXT'), 'rcode 5', 'not before the reader has the slab')
  store.put(blobOf('first.test.', 'two'))
  store.put(blobOf('gone.test.', 'here'))
  store.delete(lowercaseWire('gone.test.'))
  assert.deepEqual(
    posted.map(({ number }) => number),
    [1],
  )
  far.acknowledge(posted[0]!.number)
  assert.equal(said(reader, 'first.test. TXT'), 'two')
  assert.equal(said(reader, 'gone.test. TXT'), 'rcode 5')
})

test('a reader that has gone is not waited for', () => {
  const store = new ZoneStore()
  const far = store.attach(() => {})
  const reader = readerOf(store)
  store.put(blobOf('first.test.', 'one'))
  far.detach()
  assert.equal(said(reader, 'first.test. TXT'), 'one')
})

test('a room is not used again while a reader may look at it', () => {
  const store = new ZoneStore()
  store.put(blobOf('acme.test.', 'one'))
  const far = store.attach(() => {})
  const view = new StoreView(far.shared, far.slot)
  const reader = new Responder(new StoreView(far.shared))
  const blob = blobOf('acme.test.', 'two')
  view.enter()
  const before = far.shared.slabs[0]!.slice()
  for (let i = 0; i < 50; i++) store.put(blob)
  const held = before.findLastIndex((octet) => octet !== 0) + 1
  const after = far.shared.slabs[0]!.subarray(0, held)
  assert.deepEqual(Buffer.from(after), Buffer.from(before.subarray(0, held)))
  view.leave()
  for (let i = 0; i < 60; i++) store.put(blobOf(`ab${i + 10}.test.`, 'x'))
  assert.notDeepEqual(Buffer.from(after), Buffer.from(before.subarray(0, held)))
  assert.equal(said(reader, 'acme.test. TXT'), 'two')
})

test('a name that is waited for is reported when it or a name below it is asked for', () => {
  const store = new ZoneStore()
  const reader = readerOf(store)
  store.put(encodeWaiting('Acme.test.'))
  store.put(encodeZone(zone('b.test.', 'x'), { isWaiting: true }).blob)
  const reported = (question: string): string[] => {
    const found: string[] = []
    said(reader, question)
    reader.eachWaiting((name, label) => {
      found.push(Buffer.from(name.octets.subarray(name.starts[label]!, name.length)).toString())
    })
    return found
  }
  assert.deepEqual(reported('x.acme.TEST. A'), ['\x04acme\x04test\0'])
  assert.deepEqual(reported('b.test. DS'), ['\x01b\x04test\0'])
  assert.deepEqual(reported('test. A'), [])
  assert.equal(said(reader, 'acme.test. TXT'), 'rcode 5', 'a name without a zone is refused')
  store.put(encodeZone(zone('test.', 'x')).blob)
  assert.deepEqual(reported('b.test. DS'), ['\x01b\x04test\0'], 'though its parent answers')
})
