import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalName, isWithin, nameToWire, parentOf, suffixesOf } from './name.ts'
import { type ServedType, toWireRRset } from './rdata.ts'

const octets = (type: ServedType, data: string) =>
  toWireRRset({ name: 'x.test.', type, ttl: 60, data: [data] }).records[0]!.octets

const WRITTEN: [type: ServedType, data: string, hex: string][] = [
  ['A', '192.0.2.1', 'c0000201'],
  ['AAAA', '::', '00'.repeat(16)],
  ['AAAA', '2001:db8::1', `20010db8${'00'.repeat(11)}01`],
  ['AAAA', '1::', `0001${'00'.repeat(14)}`],
  ['AAAA', '1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['AAAA', '::ffff:192.0.2.1', `${'00'.repeat(10)}ffffc0000201`],
  ['NS', 'A.b.', '0141016200'],
  ['CNAME', '.', '00'],
  ['MX', '10 a.', '000a016100'],
  ['MX', '0 .', '000000'],
  ['SRV', '1 2 587 a.', '00010002024b016100'],
  ['CAA', '0 issue "ca.test"', '0005697373756563612e74657374'],
  ['CAA', '128 issue ca.test; a=b', '800569737375656' + '3612e746573743b20613d62'],
  ['CAA', '0 iodef "a\\"b"', '0005696f646566612262'],
  ['DS', '1 13 2 ab CD', '00010d02abcd'],
  ['HTTPS', '1 . mandatory=alpn alpn=h2', '000100000000020001000100030' + '26832'],
  ['SVCB', '1 . no-default-alpn alpn=h2', '000100000100030' + '268320002' + '0000'],
  ['TXT', '', '00'],
  ['TXT', 'a"b\\c', '0561226' + '25c63'],
  ['TXT', 'ü', '02c3bc'],
  ['TXT', 'a'.repeat(255), `ff${'61'.repeat(255)}`],
  ['TXT', 'a'.repeat(256), `ff${'61'.repeat(255)}0161`],
]

test('rdata is written as its RFC draws it', () => {
  for (const [type, data, hex] of WRITTEN)
    assert.equal(octets(type, data).toString('hex'), hex, data)
})

const REFUSED: [type: ServedType, data: string][] = [
  ['A', ''],
  ['A', '192.0.2'],
  ['A', '2001:db8::1'],
  ['AAAA', '192.0.2.1'],
  ['AAAA', '2001:db8:::1'],
  ['AAAA', 'fe80::1%eth0'],
  ['NS', 'relative'],
  ['NS', ''],
  ['NS', 'a..b.'],
  ['NS', `${'a'.repeat(64)}.`],
  ['NS', 'a.'.repeat(128)],
  ['NS', 'bücher.test.'],
  ['CNAME', 'a. b.'],
  ['MX', 'a.'],
  ['MX', '65536 a.'],
  ['MX', '-1 a.'],
  ['SRV', '0 0 a.'],
  ['HTTPS', '1 . mandatory=alpn'],
  ['HTTPS', '1 . mandatory=alpn,port alpn=h2'],
  ['SVCB', '1 . no-default-alpn'],
  ['SVCB', '1 . dohpath'],
  ['SVCB', '1 . dohpath=/dns-query'],
  ['SVCB', '\\# 9 00010000000002 0001'],
  ['CAA', '256 issue "x"'],
  ['CAA', '0 is-sue "x"'],
  ['CAA', '0 issue'],
  ['DS', '1 13 2'],
  ['DS', '1 13 2 abc'],
  ['DS', '1 13 2 xyz1'],
  ['TXT', 'a'.repeat(65_536)],
]

test('rdata that cannot be written is refused by name and type', () => {
  for (const [type, data] of REFUSED) {
    assert.throws(() => octets(type, data), { name: 'RangeError', message: /x\.test\. / }, data)
  }
})

test('an rrset has no record twice', () => {
  const { records } = toWireRRset({
    name: 'x.',
    type: 'A',
    ttl: 1,
    data: ['192.0.2.1', '192.0.2.1'],
  })
  assert.equal(records.length, 1)
})

test('a name of 255 octets and a label of 63 can be written', () => {
  const name = `${`${'a'.repeat(63)}.`.repeat(3)}${'b'.repeat(61)}.`
  assert.equal(nameToWire(name).length, 255)
  assert.throws(() => nameToWire(`b${name}`))
})

test('names are compared by labels, not by characters', () => {
  assert.deepEqual(suffixesOf('a\\.b.c.'), ['a\\.b.c.', 'c.', '.'])
  assert.equal(parentOf('.'), '.')
  assert.equal(parentOf('a\\\\.b.'), 'b.')
  assert.equal(isWithin('x.acme.test.', 'acme.test.'), true)
  assert.equal(isWithin('x\\.acme.test.', 'acme.test.'), false)
  assert.equal(isWithin('xacme.test.', 'acme.test.'), false)
})

test('one name has one text', () => {
  assert.equal(canonicalName('MAIL.Acme.TEST.'), 'mail.acme.test.')
  assert.equal(canonicalName('\\065\\.\\046\\000.'), 'a\\.\\.\\000.')
})
