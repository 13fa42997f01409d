import { isNamedType, type RRset } from '../contract.ts'
import * as general from '../objections.ts'

const LEAST_TTL_S = 60
const LONGEST_TTL_S = 86_400

/** What Cloudflare cannot hold. Looked at 2026-11. */
export function objectionTo(rrset: RRset): string | undefined {
  const { name, type, ttl, data } = rrset
  if (ttl < LEAST_TTL_S || ttl > LONGEST_TTL_S) {
    return `Cloudflare holds TTLs from ${LEAST_TTL_S} to ${LONGEST_TTL_S} seconds, and ${type} of ${name} has ${ttl}.`
  }
  if (!isNamedType(type))
    return `Cloudflare holds no ${type} (at ${name}): it takes no type by its number.`
  const odd = [name, ...(type === 'TXT' ? [] : data)].find((text) => ESCAPED.test(text))
  if (odd) return `Cloudflare holds no escaped octets, as in "${odd}" (${type} of ${name}).`
  return general.objectionTo(rrset)
}

/** Names and fields go there as JSON text, which has no room for an octet that is no text. */
const ESCAPED = /\\(?:\d{3}|[^"\\])/
