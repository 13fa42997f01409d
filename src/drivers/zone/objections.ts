import { isIP, isIPv4, isIPv6 } from 'node:net'
import type { RRset } from './contract.ts'

/** A bound of ours: the longest TXT value anyone publishes is a DKIM key of some 800 octets. */
const TXT_LIMIT_OCTETS = 4096

/** What no zone host holds, ours included: rdata that is none, or too much of it. Looked at 2026-11. */
export function objectionTo({ name, type, ttl, data }: RRset): string | undefined {
  if (data.length === 0) return `${type} of ${name} has no value.`
  if (type === 'CNAME' && data.length > 1) return `A CNAME has one value; ${name} would have more.`
  // RFC 2181 section 8: 31 bits.
  if (!Number.isInteger(ttl) || ttl < 0 || ttl > 0x7fffffff) {
    return `The TTL of ${type} of ${name} is out of range.`
  }
  if (type === 'TXT' && data.some((value) => Buffer.byteLength(value) > TXT_LIMIT_OCTETS)) {
    return `A TXT value of ${name} is longer than ${TXT_LIMIT_OCTETS} octets.`
  }
  if (!isName(name)) return `${name} is not a name that can be served.`
  const bad = data.find((value) => !SHAPES[type](value))
  return bad === undefined
    ? undefined
    : `${type} of ${name} cannot be ${JSON.stringify(bad.slice(0, 60))}.`
}

/** Whether a value, in presentation form, is what its type holds. */
const SHAPES: Record<RRset['type'], (value: string) => boolean> = {
  A: isIPv4,
  AAAA: isIPv6,
  CAA: (value) => /^\d{1,3} [a-z0-9]{1,255} \S/i.test(value),
  CNAME: isName,
  MX: (value) => hasNumbers(value, 1),
  NS: isName,
  SRV: (value) => hasNumbers(value, 3),
  TXT: (value) => !value.includes('\0'),
}

// RFC 1035 section 3.1: labels of at most 63 octets, names of at most 255 on the wire.
function isName(name: string): boolean {
  if (name === '.') return true
  const labels = name.replace(/\.$/, '').split('.')
  if (!name.endsWith('.') || name.length > 254 || isIP(name.slice(0, -1)) !== 0) return false
  return labels.every((label) => label.length > 0 && Buffer.byteLength(label) <= 63)
}

/** So many 16-bit numbers, and then a name. */
function hasNumbers(value: string, count: number): boolean {
  const words = value.split(' ')
  const numbers = words.slice(0, -1)
  const areNumbers = numbers.every((word) => /^\d{1,5}$/.test(word) && Number(word) <= 0xffff)
  return numbers.length === count && areNumbers && isName(words.at(-1)!)
}
