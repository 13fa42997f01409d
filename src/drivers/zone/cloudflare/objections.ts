import type { RRset } from '../contract.ts'
import * as general from '../objections.ts'

const LEAST_TTL_S = 60
const LONGEST_TTL_S = 86_400

/** What Cloudflare cannot hold. Looked at 2026-11. */
export function objectionTo(rrset: RRset): string | undefined {
  const { name, type, ttl } = rrset
  if (ttl < LEAST_TTL_S || ttl > LONGEST_TTL_S) {
    return `Cloudflare holds TTLs from ${LEAST_TTL_S} to ${LONGEST_TTL_S} seconds, and ${type} of ${name} has ${ttl}.`
  }
  return general.objectionTo(rrset)
}
