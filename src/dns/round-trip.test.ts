/** Whatever can be served survives: octets, text, master file and message say the same. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { anyName, anyRdata } from '../../test/arbitrary-rdata.ts'
import { masterLine, readMasterFile } from './master-file.ts'
import { readMessage } from './message.ts'
import { canonicalName, nameToWire } from './name.ts'
import { canonicalRdata, rdataFromWire, rdataToWire } from './rdata.ts'
import { numberOfType, TYPE } from './types.ts'

/** Host names are folded, so octets are compared without the case of ASCII letters. */
const folded = (octets: Buffer): string => octets.toString('latin1').toLowerCase()

/** TXT of one text may be cut into other strings: what it says is what counts. */
function said(type: string, octets: Buffer): string {
  const isText = type === 'TXT' && octets.subarray(1, 3).toString().toLowerCase() === 'v='
  if (!isText) return folded(octets)
  let text = ''
  for (let at = 0; at < octets.length; at += 1 + octets[at]!) {
    text += octets.toString('latin1', at + 1, at + 1 + octets[at]!)
  }
  return text.toLowerCase()
}

test('octets become one canonical text, and come back from it', () => {
  fc.assert(
    fc.property(anyRdata, ({ type, octets }) => {
      const text = rdataFromWire(type, octets)
      assert.equal(canonicalRdata(type, text), text)
      assert.equal(said(type, rdataToWire(type, text)), said(type, octets))
      assert.doesNotMatch(text, /[\0-\x1f\x7f]/)
    }),
    { numRuns: 3000 },
  )
})

test('a record survives a master file, whatever stands beside it', () => {
  const record = fc.tuple(anyName, anyRdata, fc.integer({ min: 0, max: 2 ** 31 - 1 }))
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (records) => {
      const wanted = records.map(([name, { type, octets }, ttl]) => {
        return { name: canonicalName(name), ttl, type, value: rdataFromWire(type, octets) }
      })
      const lines = wanted.map(({ name, ttl, type, value }) => masterLine(name, ttl, type, value))
      const { records: read, problems } = readMasterFile(lines.join('\n'), 'origin.test.', 100)
      assert.deepEqual(problems, [])
      assert.deepEqual(
        read.map(({ line: _, ...rest }) => rest),
        wanted,
      )
    }),
    { numRuns: 500 },
  )
})

test('a record survives a message', () => {
  fc.assert(
    fc.property(anyName, anyRdata, (name, { type, octets }) => {
      const { answers } = readMessage(messageWith(name, numberOfType(type)!, octets))
      assert.equal(answers[0]!.name, canonicalName(name))
      assert.ok(answers[0]!.rdata.equals(octets))
    }),
    { numRuns: 500 },
  )
})

function messageWith(name: string, type: number, rdata: Buffer): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt16BE(rdata.length, 8)
  const header = Buffer.from([0, 1, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0])
  return Buffer.concat([header, nameToWire(name), fixed, rdata])
}

test('any text is a value or gets a sentence, and what is a value has one canonical form', () => {
  const types = ['A', 'CAA', 'CNAME', 'HTTPS', 'MX', 'NAPTR', 'SRV', 'TXT', 'TYPE65280'] as const
  const words = fc.array(
    fc.oneof(
      fc.string({ maxLength: 12, unit: 'binary' }),
      fc.constantFrom(
        '"',
        '\\',
        ' ',
        '\n',
        '10',
        'a.',
        '\\#',
        '4',
        'c0000201',
        'alpn=h2',
        '\\999',
        '0',
      ),
    ),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(fc.constantFrom(...types), words, (type, parts) => {
      const text = parts.join(' ')
      let canonical: string
      try {
        canonical = canonicalRdata(type, text)
      } catch (error) {
        assert.ok(error instanceof RangeError && error.message.length > 0)
        return
      }
      assert.equal(canonicalRdata(type, canonical), canonical)
    }),
    { numRuns: 3000 },
  )
})

test('a message that is mutated is read or refused, and never costs more than it is long', () => {
  const whole = messageWith('www.acme.test.', TYPE.MX, Buffer.from('000a026d78c00c', 'hex'))
  const mutation = fc.tuple(fc.nat(whole.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(mutation, { maxLength: 6 }), fc.nat(whole.length), (changes, length) => {
      const message = Buffer.from(whole)
      for (const [at, octet] of changes) message[at] = octet
      try {
        const { answers, authorities, additionals } = readMessage(message.subarray(0, length))
        assert.ok(answers.length + authorities.length + additionals.length <= whole.length / 11)
      } catch (error) {
        assert.ok(error instanceof RangeError)
      }
    }),
    { numRuns: 5000 },
  )
})
