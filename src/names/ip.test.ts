import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback, isPrivateAddress, parseEndpoint, writeEndpoint } from './ip.ts'

/** The first and the last address of every range that is not public, and its neighbours that are. */
// biome-ignore format: a table
const RANGES: [inside: string[], outside: string[]][] = [
  [['0.0.0.0', '0.255.255.255'],            ['1.0.0.0']],
  [['10.0.0.0', '10.255.255.255'],          ['9.255.255.255', '11.0.0.0']],
  [['100.64.0.0', '100.127.255.255'],       ['100.63.255.255', '100.128.0.0']],
  [['127.0.0.0', '127.255.255.255'],        ['126.255.255.255', '128.0.0.0']],
  [['169.254.0.0', '169.254.255.255'],      ['169.253.255.255', '169.255.0.0']],
  [['172.16.0.0', '172.31.255.255'],        ['172.15.255.255', '172.32.0.0']],
  [['192.0.0.0', '192.0.0.255'],            ['191.255.255.255', '192.0.1.0']],
  [['192.0.2.0', '192.0.2.255'],            ['192.0.1.255', '192.0.3.0']],
  [['192.168.0.0', '192.168.255.255'],      ['192.167.255.255', '192.169.0.0']],
  [['198.18.0.0', '198.19.255.255'],        ['198.17.255.255', '198.20.0.0']],
  [['198.51.100.0', '198.51.100.255'],      ['198.51.99.255', '198.51.101.0']],
  [['203.0.113.0', '203.0.113.255'],        ['203.0.112.255', '203.0.114.0']],
  [['224.0.0.0', '255.255.255.255'],        ['223.255.255.255']],
  [['::'],                                  ['2000::']],
  [['::1'],                                 ['2606:4700::1']],
  [['::ffff:10.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:ffff:c0a8:1'], ['::ffff:8.8.8.8', '::ffff:808:808']],
  [['64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'], ['64:ff9b:2::']],
  [['100::', '100::ffff:ffff:ffff:ffff'],   ['100:0:0:2::']],
  [['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'], ['2001:db7:ffff::', '2001:db9::']],
  [['fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],    ['fbff::', 'fe00::']],
  [['fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],    ['fe7f::']],
  [['ff00::', 'ff02::1', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'], []],
]

test('addresses in the ranges of RFC 6890 are private', () => {
  for (const address of RANGES.flatMap(([inside]) => inside))
    assert.equal(isPrivateAddress(address), true, address)
})

test('their IPv6 neighbours are public', () => {
  for (const address of RANGES.flatMap(([, outside]) => outside).filter((a) => a.includes(':')))
    assert.equal(isPrivateAddress(address), false, address)
})

test('their IPv4 neighbours are public', () => {
  const v4 = RANGES.flatMap(([, outside]) => outside).filter((a) => !a.includes(':'))
  for (const address of ['8.8.8.8', ...v4]) assert.equal(isPrivateAddress(address), false, address)
})

/** In the IANA registries of special-purpose addresses, and not globally reachable. */
const REGISTERED_SINCE = [
  '2001:2::1', // RFC 5180, benchmarking
  '3fff::1', // RFC 9637, documentation
  '5f00::1', // RFC 9602, segment routing
  '2002:7f00:1::1', // RFC 3056, 6to4 of 127.0.0.1
  'fec0::1', // RFC 3879, deprecated site-local
  '192.88.99.1', // RFC 7526, deprecated 6to4 relays
  '::7f00:1', // RFC 4291 section 2.5.5.1, deprecated IPv4-compatible
  '64:ff9b::127.0.0.1', // RFC 6052, translated to loopback by a NAT64
  '64:ff9b::a9fe:a9fe', // and to 169.254.169.254
  '64:ff9b::1',
]

test('what was registered since RFC 6890 is private', () => {
  for (const address of REGISTERED_SINCE) assert.equal(isPrivateAddress(address), true, address)
})

test('an address that a NAT64 translates to a public one is public', () => {
  for (const address of ['64:ff9b::808:808', '64:ff9b::8.8.8.8', '::ffff:8.8.8.8'])
    assert.equal(isPrivateAddress(address), false, address)
})

test('what is no address is private', () => {
  for (const text of ['', 'acme.com', '1.2.3', '1.2.3.4.5', '08.8.8.8', '8.8.8.8/32', '[::1]', ' '])
    assert.equal(isPrivateAddress(text), true, text)
})

test('loopback is 127.0.0.0/8 and ::1', () => {
  for (const address of ['127.0.0.1', '127.0.0.0', '127.255.255.255', '::1'])
    assert.equal(isLoopback(address), true, address)
  for (const address of ['0.0.0.0', '126.0.0.1', '128.0.0.1', '12.7.0.1', '::', '::2', 'fe80::1'])
    assert.equal(isLoopback(address), false, address)
  for (const text of ['', 'localhost', 'x127.0.0.1', '1270.0.0.1'])
    assert.equal(isLoopback(text), false, text)
})

test('a host name that begins like a loopback address is not loopback', () => {
  for (const host of [
    '127.evil.test',
    '127.0.0.1.evil.test',
    '127.',
    '127.0.0.1:80',
    '127.0.0.256',
  ])
    assert.equal(isLoopback(host), false, host)
})

// biome-ignore format: a table
const ENDPOINTS: [written: string, address: string, port: number][] = [
  ['127.0.0.1:8080',      '127.0.0.1',    8080],
  ['127.0.0.1',           '127.0.0.1',    53],
  [' 127.0.0.1:1 ',       '127.0.0.1',    1],
  ['0.0.0.0:0',           '0.0.0.0',      0],
  ['192.0.2.1:65535',     '192.0.2.1',    65_535],
  ['[::1]:25',            '::1',          25],
  ['[::1]',               '::1',          53],
  ['::1',                 '::1',          53],
  ['2001:db8::1',         '2001:db8::1',  53],
  ['[2001:db8::1]:0',     '2001:db8::1',  0],
  ['::ffff:192.0.2.1',    '::ffff:192.0.2.1', 53],
]

test('an endpoint is an address, with a port or the default one', () => {
  for (const [written, address, port] of ENDPOINTS)
    assert.deepEqual(parseEndpoint(written, 53), { address, port }, written)
})

// biome-ignore format: a table
const NO_ENDPOINTS = [
  '', ' ', ':', ':53', '53', 'localhost', 'localhost:53', 'acme.com:25', '[acme.com]:25',
  '127.0.0.1:', '127.0.0.1:x', '127.0.0.1:-1', '127.0.0.1:65536', '127.0.0.1:100000', '127.0.0.1:5 3',
  '127.0.0.1:1.5', '127.0.0.1:53:53', '127.0.0.1 53', '127.0.0:53', '256.0.0.1:53', '0x7f.0.0.1:1',
  '[127.0.0.1]:53', '[192.0.2.1]', '[::1', '::1]', '[::1]53', '[::1]:', '[]:53', '[::1]:65536', '[::g]:53', '127.0.0.1:53\n54',
  '127.0.0.1/8', 'http://127.0.0.1:53', '127.0.0.1,127.0.0.2',
]

test('what is no address with a port is no endpoint', () => {
  for (const written of NO_ENDPOINTS) assert.equal(parseEndpoint(written, 53), undefined, written)
})

test('an endpoint is written so that it can be read again', () => {
  for (const [, address, port] of ENDPOINTS)
    assert.deepEqual(parseEndpoint(writeEndpoint({ address, port }), 9), { address, port })
  assert.equal(writeEndpoint({ address: '::1', port: 25 }), '[::1]:25')
  assert.equal(writeEndpoint({ address: '127.0.0.1', port: 25 }), '127.0.0.1:25')
})
