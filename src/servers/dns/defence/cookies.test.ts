import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CookieJar, secretOfDay } from './cookies.ts'
import { sipHash } from './siphash.ts'

const hex = (written: string) => new Uint8Array(Buffer.from(written, 'hex'))
const option = (cookie: Uint8Array) => Buffer.concat([Buffer.of(0, 10, 0, cookie.length), cookie])

test('siphash: the vectors of its authors', () => {
  const key = Uint8Array.from({ length: 16 }, (_, i) => i)
  const data = Uint8Array.from({ length: 64 }, (_, i) => i)
  for (const [length, expected] of [
    [0, '310e0edd47db6f72'],
    [1, 'fd67dc93c539f874'],
    [8, '6224939a79f5f593'],
    [15, 'e545be4961ca29a1'],
    [63, '724506eb4c328a95'],
  ] as const) {
    const hash = new Uint8Array(8)
    sipHash(key, data, length, hash, 0)
    assert.equal(Buffer.from(hash).toString('hex'), expected, `${length} octets`)
  }
})

test('siphash: the server cookie of RFC 9018 appendix A.1', () => {
  const hash = new Uint8Array(8)
  const data = hex('2464c4abcf10c957' + '01000000' + '5cf79f11' + 'c6336464')
  sipHash(hex('e5e973e5a6b2a43f48e7dc849e37bfcf'), data, data.length, hash, 0)
  assert.equal(Buffer.from(hash).toString('hex'), '1f8130c3eee29480')
})

const CLIENT = hex('0102030405060708')
const NOON = 1_800_000_000 - (1_800_000_000 % 86_400) + 43_200

function jarAt(nowS: number, address = '192.0.2.1', key = 'key'): CookieJar {
  const jar = new CookieJar(Buffer.from(key))
  jar.nowS = nowS
  jar.remote.setText(address)
  return jar
}

/** The cookie that a jar gives to who shows only a client cookie. */
function given(jar: CookieJar): Uint8Array {
  const shown = option(CLIENT)
  assert.equal(jar.read(shown, 0, shown.length), true)
  assert.equal(jar.isValid, false)
  return jar.option!.slice(4)
}

function isValid(jar: CookieJar, cookie: Uint8Array): boolean {
  const shown = option(cookie)
  assert.equal(jar.read(shown, 0, shown.length), true)
  return jar.isValid
}

test('a cookie is valid for an hour, at the address it was given to, under the same key', () => {
  for (const address of ['192.0.2.1', '2001:db8::1']) {
    const cookie = given(jarAt(NOON, address))
    assert.equal(isValid(jarAt(NOON, address), cookie), true)
    assert.equal(isValid(jarAt(NOON + 3600, address), cookie), true)
    assert.equal(isValid(jarAt(NOON - 300, address), cookie), true)
    assert.equal(isValid(jarAt(NOON + 3601, address), cookie), false)
    assert.equal(isValid(jarAt(NOON - 301, address), cookie), false)
    assert.equal(isValid(jarAt(NOON, '192.0.2.2'), cookie), false)
    assert.equal(isValid(jarAt(NOON, '2001:db8::2'), cookie), false)
    assert.equal(isValid(jarAt(NOON, address, 'another'), cookie), false)
  }
})

test('a cookie of yesterday evening is valid after midnight, under the secret of its day', () => {
  const midnight = NOON + 43_200
  const cookie = given(jarAt(midnight - 60))
  assert.equal(isValid(jarAt(midnight + 60), cookie), true)
  assert.notDeepEqual(secretOfDay(CLIENT, 1), secretOfDay(CLIENT, 2))
})

test('a cookie is renewed after half an hour and repeated before', () => {
  const cookie = given(jarAt(NOON))
  const [young, old] = [jarAt(NOON + 1800), jarAt(NOON + 1801)]
  assert.ok(isValid(young, cookie) && isValid(old, cookie))
  assert.deepEqual(young.option!.slice(4), cookie)
  assert.notDeepEqual(old.option!.slice(4), cookie)
})

test('each octet of a cookie counts', () => {
  const cookie = given(jarAt(NOON))
  for (let i = 0; i < cookie.length; i++) {
    const changed = cookie.slice()
    changed[i]! ^= 0x40
    assert.equal(isValid(jarAt(NOON), changed), false, `octet ${i}`)
  }
})

test('a cookie of a wrong length is malformed, and so is an option that runs over', () => {
  for (const length of [0, 1, 7, 9, 15, 41]) {
    const shown = option(new Uint8Array(length))
    assert.equal(jarAt(NOON).read(shown, 0, shown.length), false, `${length} octets`)
  }
  for (const bad of ['000a', '000a0008', '00030005aabb']) {
    assert.equal(jarAt(NOON).read(hex(bad), 0, bad.length / 2), false, bad)
  }
})

test('a query without a cookie is given none, and other options are passed over', () => {
  const jar = jarAt(NOON)
  assert.equal(jar.read(hex('00030001aa'), 0, 5), true)
  assert.equal(jar.option, undefined)
  const both = Buffer.concat([hex('00030001aa'), option(CLIENT), option(new Uint8Array(8))])
  assert.equal(jar.read(both, 0, both.length), true)
  assert.deepEqual(jar.option!.slice(4, 12), CLIENT)
})
