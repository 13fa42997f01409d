import { randomBytes, randomInt } from 'node:crypto'

const COUNTS = 4096
let latest = { ms: 0, count: 0 }

/**
 * A UUIDv7 (RFC 9562 section 5.7). Ids of one process sort in the order they were made in, also within
 * one millisecond and while the clock goes back: section 6.2, method 1.
 */
export function newId(): string {
  latest = next(latest, Date.now())
  const bytes = randomBytes(16)
  bytes.writeUIntBE(latest.ms, 0, 6)
  bytes.writeUInt16BE(0x7000 | latest.count, 6)
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-')
}

/** Counting starts in the lower half, to leave room above. */
function next({ ms, count }: typeof latest, now: number): typeof latest {
  if (now > ms) return { ms: now, count: randomInt(COUNTS / 2) }
  return count + 1 < COUNTS ? { ms, count: count + 1 } : { ms: ms + 1, count: 0 }
}
