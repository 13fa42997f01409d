import type { RRset } from '../contract.ts'

/** A bound of ours: the longest TXT value anyone publishes is a DKIM key of some 800 octets. */
const TXT_LIMIT = 4096

/** What the embedded zone host cannot hold. Looked at 2026-11. */
export function objectionTo({ name, type, ttl, data }: RRset): string | undefined {
  if (data.length === 0) return `${type} of ${name} has no value.`
  if (type === 'CNAME' && data.length > 1) return `A CNAME has one value; ${name} would have more.`
  // RFC 2181 section 8: 31 bits.
  if (ttl < 0 || ttl > 0x7fffffff) return `The TTL of ${type} of ${name} is out of range.`
  if (type === 'TXT' && data.some((value) => value.length > TXT_LIMIT)) {
    return `A TXT value of ${name} is longer than ${TXT_LIMIT} octets.`
  }
  return undefined
}
