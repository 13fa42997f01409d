import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { toWireRRset } from '#dns/rdata.ts'
import { packTxt, unpackTxt } from './packed-txt.ts'

const rdataOf = (text: string): Buffer =>
  toWireRRset({ name: 'x.test.', type: 'TXT', ttl: 1, data: [text] }).records[0]!.octets

function unpacked(packed: Buffer): Buffer {
  const into = Buffer.alloc(70_000)
  const length = unpackTxt(packed, 0, packed.length, into, 100)
  assert.equal(packed.readUInt16BE(0), length)
  return into.subarray(100, 100 + length)
}

const KEY = Buffer.alloc(294, 'a key of 2048 bits').toString('base64')

test('a DKIM key takes three quarters of its room, and comes back octet by octet', () => {
  const rdata = rdataOf(`v=DKIM1; k=rsa; p=${KEY}; t=s`)
  const packed = packTxt(rdata)!
  assert.ok(packed.length < rdata.length - 90)
  assert.deepEqual(unpacked(packed), rdata)
})

test('whatever the key and the text around it, it comes back or is not packed', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 300 }),
      fc.uint8Array({ minLength: 40, maxLength: 600 }),
      fc.string({ maxLength: 300 }),
      (before, key, after) => {
        const rdata = rdataOf(`v=${before} p=${Buffer.from(key).toString('base64')}${after}`)
        const packed = packTxt(rdata)
        if (packed) assert.deepEqual(unpacked(packed), rdata)
      },
    ),
    { numRuns: 2000 },
  )
})

test('what is no key in base64, or split in a way of its own, is left as it is', () => {
  const oddlySplit = Buffer.concat([Buffer.from('\x03v=D'), rdataOf(`p=${KEY}`)])
  const rows = [
    rdataOf('v=spf1 -all'),
    rdataOf(''),
    rdataOf('p='),
    rdataOf(`p=${KEY.slice(0, -1)}`),
    oddlySplit,
  ]
  for (const rdata of rows) assert.equal(packTxt(rdata), undefined)
})
