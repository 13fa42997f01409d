import { isIP } from 'node:net'
import { domainToASCII, domainToUnicode } from 'node:url'
import { getPublicSuffix } from 'tldts'

/** Why the API refuses a name: `type` is the type of the violation, `message` a sentence. */
export type Refusal = { type: string; message: string }

export type ParsedName = { name: string } | { refusal: Refusal }

// RFC 1034 section 3.5 as relaxed by RFC 1123 section 2.1: letters, digits, inner hyphens.
const LDH_LABEL = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/

/**
 * Parses a customer's host name: the result is lowercase, in A-labels (UTS 46, non-transitional),
 * without trailing dot. `refusalIn` decides whether a world accepts it.
 */
export function parseDomainName(written: string): ParsedName {
  if (written.trim() === '') return refused('value_error.any_str.min_length', 'The name is empty.')
  const bare = written.replace(/\.$/, '').toLowerCase()
  if (isIP(bare.replace(/^\[|\]$/g, '')) !== 0)
    return refused(BAD, 'This is an IP address, not a name.')
  const oversized = sizeRefusal(bare)
  if (oversized) return oversized
  const name = toAscii(bare)
  if (name === undefined) return refused(BAD, 'This is not a host name.')
  return sizeRefusal(name) ?? shapeRefusal(name) ?? { name }
}

/** The name of a DKIM key is the longest name that we publish below a domain. */
const NAME_LIMIT = 253 - 'ms00000000._domainkey.'.length
const TOO_LONG_FOR_RECORDS = 'The name leaves no room for the names of its mail records.'

const BAD = 'value_error.domain'
const refused = (type: string, message: string) => ({ refusal: { type, message } })

// RFC 1035 section 3.1 counts a length octet for each label and the root: 255 on the wire is 253 written.
function sizeRefusal(name: string) {
  if (/[^\0-\x7f]/.test(name)) return undefined
  if (name.length > 253)
    return refused('value_error.any_str.max_length', 'The name is longer than 253 octets.')
  const long = name.split('.').some((label) => label.length > 63)
  return long ? refused(BAD, 'A label of the name is longer than 63 octets.') : undefined
}

/** The name in A-labels, in lower case (RFC 5890); undefined if it is no host name. */
export function alabels(written: string): string | undefined {
  const name = toAscii(written.toLowerCase())
  return name?.split('.').every((label) => LDH_LABEL.test(label)) ? name : undefined
}

/** Converts to A-labels. Refuses ASCII characters outside LDH, because UTS 46 maps some of them. */
function toAscii(name: string): string | undefined {
  if (/[\0-,/:-`{-\x7f]/.test(name)) return undefined
  const ascii = domainToASCII(name)
  if (ascii === '' || isIP(ascii) !== 0) return undefined
  return ascii.split('.').every(isMeaningful) ? ascii : undefined
}

/**
 * RFC 5890 section 2.3.2.1: an A-label converts to a U-label, and that back to the same A-label.
 */
function isMeaningful(label: string): boolean {
  if (!label.startsWith('xn--')) return true
  const unicode = domainToUnicode(label)
  return unicode !== label && domainToASCII(unicode) === label
}

function shapeRefusal(name: string) {
  const labels = name.split('.')
  if (!labels.every((label) => LDH_LABEL.test(label)))
    return refused(BAD, 'This is not a host name.')
  if (name.length > NAME_LIMIT) {
    return refused('value_error.any_str.max_length', TOO_LONG_FOR_RECORDS)
  }
  if (labels.length < 2)
    return refused(BAD, 'A single label is not a domain that can be delegated.')
  if (/^[0-9]+$/.test(labels.at(-1)!)) return refused(BAD, 'This is not a host name.')
  if (getPublicSuffix(name, { allowPrivateDomains: true }) === name) {
    return refused(BAD, 'This is a public suffix; add a name that is registered below it.')
  }
  return undefined
}

// RFC 6761 section 6 and the registry it opened; RFC 9476 for `alt`, RFC 8375 for home.arpa.
const SPECIAL_USE = [
  'alt',
  'arpa',
  'example',
  'internal',
  'invalid',
  'local',
  'localhost',
  'onion',
  'test',
  'example.com',
  'example.net',
  'example.org',
]
const SANDBOX_TLDS = ['test', 'example']

/** Whether `name` is `zone` or lies below it. Both without trailing dots. */
export const isWithin = (name: string, zone: string): boolean =>
  zone === '' || name === zone || name.endsWith(`.${zone}`)

/** Whether a registry delegates the names below it; also true for an unknown TLD. */
export const isPublicSuffix = (name: string): boolean =>
  getPublicSuffix(name, { allowPrivateDomains: false }) === name

export const isSpecialUse = (name: string): boolean =>
  SPECIAL_USE.some((zone) => isWithin(name, zone))

/**
 * The names that a world accepts: two reserved TLDs (sandbox), any (laboratory), public ones
 * (live).
 */
export type NameRules = { sandbox: boolean; laboratory: boolean; platform: readonly string[] }

/** Why this world refuses a well-formed name; undefined if it accepts the name. */
export function refusalIn(name: string, rules: NameRules): Refusal | undefined {
  if (rules.platform.some((own) => isWithin(name, own) || isWithin(own, name))) {
    return {
      type: BAD,
      message: "This name is, encloses or is below one of the platform's own names.",
    }
  }
  if (rules.sandbox) {
    if (SANDBOX_TLDS.some((tld) => isWithin(name, tld))) return undefined
    return { type: BAD, message: 'The sandbox accepts only names below .test and .example.' }
  }
  if (!rules.laboratory && isSpecialUse(name)) {
    return { type: BAD, message: 'This is a special-use name, which nobody can delegate.' }
  }
  return undefined
}

/** All names above a name, nearest first: `b.c` and `c` for `a.b.c`. */
export function ancestorsOf(name: string): string[] {
  const labels = name.split('.')
  return labels.slice(1).map((_, index) => labels.slice(index + 1).join('.'))
}

/** Matches the final dot of an absolute name, but not an escaped dot (RFC 1035 section 5.1). */
const ENDS_WITH_DOT = /(?:^|[^\\])(?:\\\\)*\.$/

export const absolute = (name: string): string =>
  (ENDS_WITH_DOT.test(name) ? name : `${name}.`).toLowerCase()
export const relative = (name: string): string =>
  (ENDS_WITH_DOT.test(name) ? name.slice(0, -1) : name).toLowerCase()
