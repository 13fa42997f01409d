import { isNamedType, type RRset } from '../contract.ts'
import * as general from '../objections.ts'

const LEAST_TTL_S = 60
const LONGEST_TTL_S = 86_400

/** What Cloudflare cannot hold. Tested 2026-11. */
export function objectionTo(rrset: RRset): string | undefined {
  const { name, type, ttl, data } = rrset
  if (ttl < LEAST_TTL_S || ttl > LONGEST_TTL_S) {
    return `Cloudflare holds TTLs from ${LEAST_TTL_S} to ${LONGEST_TTL_S} seconds, and ${type} of ${name} has ${ttl}.`
  }
  if (!isNamedType(type)) {
    return `Cloudflare takes no type by its number, as ${type} of ${name} is.`
  }
  const objection = general.objectionTo(rrset)
  if (objection) return objection
  if (!OWNER.test(name)) return `Cloudflare takes no name like ${name}.`
  const odd = data.find((value) => HELD[type]?.test(value) === false)
  return odd && `Cloudflare cannot hold "${odd}" as ${type} of ${name}.`
}

const LABEL = String.raw`[a-z\d_](?:[a-z\d_-]*[a-z\d_])?`
const HOST = String.raw`(?:${LABEL}\.)+`
const OWNER = new RegExp(String.raw`^(?:\*\.)?${HOST}$`)
const ALIAS = new RegExp(`^${HOST}$`)
/** Its API takes text in JSON, which cannot hold arbitrary octets. */
const TEXT = String.raw`"(?:[^\\"]|\\["\\])*"`
const SERVICE = new RegExp(String.raw`^\d+ (?:\.|${HOST})(?: .*)?$`)

/** The values that it takes, for types where it refuses some that could be served. */
const HELD: Partial<Record<RRset['type'], RegExp>> = {
  CAA: new RegExp(String.raw`^\d+ [a-z\d]{1,15} ${TEXT}$`, 'i'),
  CNAME: ALIAS,
  HTTPS: SERVICE,
  MX: new RegExp(String.raw`^\d+ (?:\.|${HOST})$`),
  NAPTR: new RegExp(String.raw`^\d+ \d+ ${TEXT} ${TEXT} ${TEXT} (?:\.|${HOST})$`),
  NS: ALIAS,
  PTR: ALIAS,
  SRV: new RegExp(String.raw`^\d+ \d+ \d+ (?:\.|${HOST})$`),
  SVCB: SERVICE,
}
