import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openVault } from './vault.ts'

const KEY = Buffer.from('00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'hex')
const vault = openVault(KEY)

const SECRETS = [
  'x',
  '',
  'ü 😀',
  '-----BEGIN PRIVATE KEY-----\nMIIB\n',
  'a'.repeat(100_000),
  'v1:',
  '\0',
]

test('what is sealed opens, under the label it was sealed with', () => {
  for (const secret of SECRETS)
    assert.equal(vault.open(vault.seal(secret, 'dkim:1'), 'dkim:1'), secret)
})

test('it opens for everyone who has the key', () => {
  assert.equal(openVault(Buffer.from(KEY)).open(vault.seal('x', 'dkim:1'), 'dkim:1'), 'x')
})

test('what was sealed by the first release opens for ever', () => {
  const sealed = 'v1:vZfn0FCdCq384/v9h9Yc0AtLNPOaQMSmy9Y87I9IrCMke249'
  assert.equal(vault.open(sealed, 'dkim:1'), 'a secret')
})

test('nothing of the secret or the label is in the sealed text, and no two are the same', () => {
  const sealed = Array.from({ length: 100 }, () => vault.seal('a secret', 'dkim:1'))
  assert.equal(new Set(sealed).size, sealed.length)
  for (const text of sealed) {
    assert.match(text, /^v1:[A-Za-z0-9+/]+=*$/)
    assert.doesNotMatch(Buffer.from(text.slice(3), 'base64').toString('latin1'), /secret|dkim/)
  }
})

const SEALED = vault.seal('a secret', 'dkim:1')

test('it does not open under another label', () => {
  for (const label of ['dkim:2', 'dkim:', 'dkim:11', 'DKIM:1', '', 'dkim:1 '])
    assert.throws(() => vault.open(SEALED, label), label)
})

test('it does not open with another key', () => {
  for (const other of [Buffer.alloc(32), Buffer.from(KEY).fill(0, 31), KEY.subarray(0, 31)])
    assert.throws(() => openVault(other).open(SEALED, 'dkim:1'))
})

test('it does not open with any one bit changed', () => {
  const octets = Buffer.from(SEALED.slice(3), 'base64')
  for (let bit = 0; bit < octets.length * 8; bit++) {
    const changed = Buffer.from(octets)
    changed[bit >> 3]! ^= 1 << (bit & 7)
    assert.throws(() => vault.open(`v1:${changed.toString('base64')}`, 'dkim:1'), `bit ${bit}`)
  }
})

test('it does not open cut short or continued', () => {
  const octets = Buffer.from(SEALED.slice(3), 'base64')
  for (let length = 0; length < octets.length; length++) {
    const cut = octets.subarray(0, length).toString('base64')
    assert.throws(() => vault.open(`v1:${cut}`, 'dkim:1'), `${length} octets`)
  }
  const continued = Buffer.concat([octets, Buffer.alloc(1)]).toString('base64')
  assert.throws(() => vault.open(`v1:${continued}`, 'dkim:1'))
})

test('what was sealed in another way is refused by name', () => {
  const body = SEALED.slice(3)
  for (const text of ['', body, `v2:${body}`, `:${body}`, `V1:${body}`, 'v1', 'a secret'])
    assert.throws(() => vault.open(text, 'dkim:1'), /a key we do not have/, text)
})

test('a tag of less than 16 octets is not looked at, whether it fits or not', () => {
  const octets = Buffer.from(vault.seal('', 'dkim:1').slice(3), 'base64')
  for (const length of [4, 8, 12, 15]) {
    const short = octets.subarray(0, 12 + length).toString('base64')
    assert.throws(() => vault.open(`v1:${short}`, 'dkim:1'), `${length} octets`)
  }
})

test('a fingerprint is the same for the same secret, and another for any other', () => {
  assert.deepEqual(vault.fingerprint('x'), openVault(KEY).fingerprint('x'))
  assert.equal(vault.fingerprint('x').length, 32)
  const others = [
    ...SECRETS.slice(1).map(vault.fingerprint),
    openVault(Buffer.alloc(32)).fingerprint('x'),
  ]
  for (const other of others) assert.notDeepEqual(other, vault.fingerprint('x'))
})
