import { randomInt, randomUUID } from 'node:crypto'

const COUNTS = 4096
let latest = { ms: 0, count: 0 }

/**
 * A UUIDv7 (RFC 9562 section 5.7). Ids of one process sort in the order they were made in, also within
 * one millisecond and while the clock goes back: section 6.2, method 1.
 */
export function newId(): string {
  latest = next(latest, Date.now())
  const ms = latest.ms.toString(16).padStart(12, '0')
  const count = latest.count.toString(16).padStart(3, '0')
  // The variant and the random bits are those of a UUIDv4, which Node draws in advance, many at once.
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${count}-${randomUUID().slice(19)}`
}

/** Counting starts in the lower half, to leave room above. */
function next({ ms, count }: typeof latest, now: number): typeof latest {
  if (now > ms) return { ms: now, count: randomInt(COUNTS / 2) }
  return count + 1 < COUNTS ? { ms, count: count + 1 } : { ms: ms + 1, count: 0 }
}
