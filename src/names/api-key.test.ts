import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type KeyWorld, makeApiKey, worldOfKey } from './api-key.ts'

/** Made with another CRC32 and another base62; the last has a checksum that begins with zeros. */
const KNOWN: [key: string, world: KeyWorld][] = [
  ['ms_live_00000000000000000000000000000000003X74w0', 'live'],
  ['ms_live_0123456789abcdefghijklmnopqrstuvwx0gnblu', 'live'],
  ['ms_test_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz14uqTD', 'sandbox'],
  ['ms_test_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefgh2K8HdJ', 'sandbox'],
  ['ms_test_000000000000000000000000000000070300eU9S', 'sandbox'],
]

test('keys that others made by the same rules are well-formed', () => {
  for (const [key, world] of KNOWN) assert.equal(worldOfKey(key), world, key)
})

test('a fresh key has the announced shape and is well-formed in its world', () => {
  for (const [world, shape] of [
    ['live', /^ms_live_[0-9A-Za-z]{40}$/],
    ['sandbox', /^ms_test_[0-9A-Za-z]{40}$/],
  ] as const) {
    for (let made = 0; made < 100; made++) {
      const key = makeApiKey(world)
      assert.match(key, shape)
      assert.equal(worldOfKey(key), world)
    }
  }
})

test('no two keys are the same, and all 62 characters come up', () => {
  const keys = Array.from({ length: 200 }, () => makeApiKey('live').slice('ms_live_'.length))
  assert.equal(new Set(keys).size, keys.length)
  assert.equal(new Set(keys.map((key) => key.slice(0, 34)).join('')).size, 62)
})

test('a key with any one character changed, left out or doubled is malformed', () => {
  for (const [key] of KNOWN) {
    for (let at = 0; at < key.length; at++) {
      const [before, here, after] = [key.slice(0, at), key[at]!, key.slice(at + 1)]
      const other = here === 'a' ? 'b' : 'a'
      for (const typo of [before + other + after, before + after, before + here + here + after])
        assert.equal(worldOfKey(typo), undefined, typo)
    }
  }
})

test('a key with two neighbours swapped is malformed', () => {
  const [key] = KNOWN[3]!
  for (let at = 0; at < key.length - 1; at++) {
    const swapped = key.slice(0, at) + key[at + 1] + key[at] + key.slice(at + 2)
    if (swapped !== key) assert.equal(worldOfKey(swapped), undefined, swapped)
  }
})

const KEY = KNOWN[0]![0]

const MALFORMED: readonly string[] = [
  '',
  'ms_live_',
  KEY.toUpperCase(),
  KEY.toLowerCase(),
  KEY.replace('live', 'test'),
  KEY.replace('ms_', 'sk_'),
  KEY.replace('ms_live_', 'ms_prod_'),
  KEY.replaceAll('_', '-'),
  ` ${KEY}`,
  `${KEY} `,
  `${KEY}\n`,
  `${KEY}\0`,
  `${KEY}${KEY}`,
  `x${KEY}`,
  KEY.replace('0', 'é'),
  KEY.replace('0', '-'),
  'a'.repeat(100_000),
]

test('what is no key at all is malformed', () => {
  for (const key of MALFORMED) assert.equal(worldOfKey(key), undefined, key.slice(0, 60))
})
