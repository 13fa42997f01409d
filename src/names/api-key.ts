/** API keys: `ms_live_` or `ms_test_`, 34 random base62 characters, and 6 of checksum. */
import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_LENGTH = 34
const CHECKSUM_LENGTH = 6
const SHAPE = /^ms_(live|test)_[0-9A-Za-z]{40}$/

export type KeyWorld = 'live' | 'sandbox'

/** Creates a key. The API shows it once; the store keeps only a keyed hash of it. */
export function makeApiKey(world: KeyWorld): string {
  const random = Array.from({ length: RANDOM_LENGTH }, () => BASE62[randomInt(62)]).join('')
  const body = `ms_${world === 'live' ? 'live' : 'test'}_${random}`
  return body + checksum(body)
}

/** The world of a well-formed key; undefined for a typo, without a query to the database. */
export function worldOfKey(key: string): KeyWorld | undefined {
  const match = SHAPE.exec(key)
  if (match === null || checksum(key.slice(0, -CHECKSUM_LENGTH)) !== key.slice(-CHECKSUM_LENGTH))
    return undefined
  return match[1] === 'live' ? 'live' : 'sandbox'
}

/** The CRC32 of the text before it, in base62, padded with zeros. */
function checksum(body: string): string {
  let rest = crc32(body)
  let digits = ''
  while (digits.length < CHECKSUM_LENGTH) {
    digits = BASE62[rest % 62] + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}
