import assert from 'node:assert/strict'
import { test } from 'node:test'
import packet from 'dns-packet'
import fc from 'fast-check'
import { lastRecordType, readName, shapeOf } from './message-shape.ts'
import { TYPE } from './types.ts'

const hex = (octets: string) => Buffer.from(octets.replaceAll(' ', ''), 'hex')

const NAMES: [sentence: string, message: string, at: number, expected: string | undefined][] = [
  ['a name', '04 61634d45 04 74657374 00', 0, 'acme.test.'],
  ['the root', '00', 0, '.'],
  ['a pointer', '03 6e6574 00 01 61 c000', 5, 'a.net.'],
  ['a pointer to a pointer', '03 6e6574 00 c000 01 61 c005', 7, 'a.net.'],
  ['a pointer at itself', 'c000', 0, undefined],
  ['a pointer forward', 'c002 00', 0, undefined],
  ['two pointers in a circle', '00 c003 c001', 3, undefined],
  ['a label and a pointer in a circle', '01 61 c000', 0, undefined],
  ['a label of 64 octets', `40${'61'.repeat(64)}00`, 0, undefined],
  ['a label that ends early', '05 6161', 0, undefined],
  ['a name without an end', '01 61', 0, undefined],
  ['a pointer that ends early', 'c0', 0, undefined],
  [
    'a name of 256 octets',
    `${`3f${'61'.repeat(63)}`.repeat(3)}3f${'61'.repeat(63)}00`,
    0,
    undefined,
  ],
]

for (const [sentence, message, at, expected] of NAMES) {
  test(`a name in a message: ${sentence}`, () => {
    const read = () => readName(hex(message), at).name
    if (expected === undefined) assert.throws(read, RangeError)
    else assert.equal(read(), expected)
  })
}

const REPLY = packet.encode({
  type: 'response',
  id: 7,
  questions: [{ type: 'MX', name: 'acme.test' }],
  answers: [{ type: 'MX', name: 'acme.test', data: { preference: 1, exchange: 'mx.acme.test' } }],
  authorities: [{ type: 'NS', name: 'acme.test', data: 'ns.acme.test' }],
  additionals: [{ type: 'A', name: 'mx.acme.test', data: '192.0.2.1' }],
})

test('the parts of a message lie where they are, by section', () => {
  const { id, question, records } = shapeOf(REPLY)!
  assert.equal(id, 7)
  assert.deepEqual(question, { name: 'acme.test.', type: TYPE.MX, class: 1 })
  assert.deepEqual(
    records.map(({ section, name, type }) => `${section} ${name} ${type}`),
    ['answer acme.test. 15', 'authority acme.test. 2', 'additional mx.acme.test. 1'],
  )
  assert.deepEqual([...REPLY.subarray(records[2]!.rdata, records[2]!.end)], [192, 0, 2, 1])
  assert.equal(lastRecordType(REPLY), TYPE.A)
})

test('what is no whole message has no shape', () => {
  for (let length = 0; length < REPLY.length; length++)
    assert.equal(shapeOf(REPLY.subarray(0, length)), undefined, String(length))
  assert.equal(shapeOf(Buffer.concat([REPLY, Buffer.of(0)])), undefined)
})

test('property: any octets have a shape or have none, and the last record is the same to both', () => {
  const mutated = fc.array(fc.tuple(fc.nat(REPLY.length - 1), fc.integer({ min: 0, max: 255 })), {
    maxLength: 6,
  })
  fc.assert(
    fc.property(mutated, (changes) => {
      const message = Buffer.from(REPLY)
      for (const [at, octet] of changes) message[at] = octet
      const shape = shapeOf(message)
      const type = lastRecordType(message)
      if (shape !== undefined) assert.equal(type, shape.records.at(-1)?.type)
    }),
    { numRuns: 20_000 },
  )
})
