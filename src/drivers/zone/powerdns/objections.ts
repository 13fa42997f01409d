import type { RRset } from '../contract.ts'
import * as general from '../objections.ts'

/** What a PowerDNS Authoritative Server cannot hold. Tested with 4.7.3, 2026-11. */
export function objectionTo(rrset: RRset): string | undefined {
  const objection = general.objectionTo(rrset)
  if (objection) return objection
  const { name, type, data } = rrset
  const odd = data.find((value) => HELD[type]?.test(value) === false)
  return odd && `PowerDNS cannot hold "${odd}" as ${type} of ${name}.`
}

const HOST = String.raw`(?:[a-z\d](?:[a-z\d-]*[a-z\d])?\.)+`
/**
 * RFC 9460 section 2.4.2: an alias has no parameters. PowerDNS takes no parameter by number, none in
 * quotes, and none of RFC 9461 and 9540.
 */
const SERVICE = new RegExp(
  String.raw`^(?:0 (?:\.|${HOST})|[1-9]\d* (?:\.|${HOST})(?: (?!key|dohpath|ohttp)[^" ]+)*)$`,
  'i',
)

/** The values that its API takes, for types where it refuses some that could be served. */
const HELD: Partial<Record<RRset['type'], RegExp>> = {
  HTTPS: SERVICE,
  MX: new RegExp(String.raw`^\d+ (?:\.|${HOST})$`, 'i'),
  NAPTR: new RegExp(String.raw`^\d+ \d+ .* (?:\.|${HOST})$`, 'i'),
  NS: new RegExp(`^${HOST}$`, 'i'),
  SRV: new RegExp(String.raw`^\d+ \d+ \d+ (?:\.|${HOST})$`, 'i'),
  SVCB: SERVICE,
}
