/** Parses an SPF record (RFC 7208 section 12) into terms, and says why one is broken. */
import { isIPv4, isIPv6 } from 'node:net'
import { faultInDomainSpec, faultInMacroString } from './domain-spec.ts'

export type Qualifier = '+' | '-' | '~' | '?'
export type Mechanism = 'all' | 'include' | 'a' | 'mx' | 'ptr' | 'ip4' | 'ip6' | 'exists'

/** `domain` is absent where the term means the domain of the record; `prefix` are lengths in bits. */
export type Directive = {
  kind: 'directive'
  written: string
  qualifier: Qualifier
  mechanism: Mechanism
  domain?: string
  address?: string
  prefix: { ip4: number; ip6: number }
}
/** `name` is in lower case. */
export type Modifier = { kind: 'modifier'; written: string; name: string; value: string }
/** `why` completes the sentence "the term is broken: …". */
export type BrokenTerm = { kind: 'broken'; written: string; why: string }
export type Term = Directive | Modifier | BrokenTerm

/** RFC 7208 section 4.5: the version is followed by a space or the end. */
export const isSpf = (txt: string): boolean => /^v=spf1( |$)/i.test(txt)

/** The terms of a record that `isSpf`, in their order. Only the space separates them. */
export function parseSpf(record: string): Term[] {
  const terms = record.split(' ').slice(1).filter(Boolean).map(parseTerm)
  const once = new Set<string>()
  return terms.map((term) => {
    if (term.kind !== 'modifier' || !['redirect', 'exp'].includes(term.name)) return term
    // RFC 7208 section 6: each of these two stands at most once.
    if (once.has(term.name)) return broken(term.written, `a policy has at most one ${term.name}=`)
    once.add(term.name)
    return term
  })
}

/** RFC 7208 section 4.6: one broken term anywhere makes the whole record a permerror. */
export const brokenTermsOf = (record: string): BrokenTerm[] =>
  parseSpf(record).filter((term) => term.kind === 'broken')

const broken = (written: string, why: string): BrokenTerm => ({ kind: 'broken', written, why })

function parseTerm(written: string): Term {
  const term = parsed(written)
  if (term.kind !== 'broken') return term
  const [, next] = GLUED.exec(written) ?? []
  return next === undefined ? term : broken(written, `a space is missing before ${next}`)
}

/** RFC 7208 section 3.3: the strings of a TXT record are joined without spaces, and that is often missed. */
const GLUED = /[^+?~-]([+?~-]?(?:(?:include|exists|ip4|ip6):|redirect=).*|[+?~-]all)$/i

function parsed(written: string): Term {
  if (/[^\x21-\x7e]/.test(written)) return broken(written, whyNotVisible(written))
  const modifier = /^([a-z][a-z0-9_.-]*)=(.*)$/i.exec(written)
  return modifier
    ? parseModifier(written, modifier[1]!.toLowerCase(), modifier[2]!)
    : parseDirective(written)
}

const whyNotVisible = (written: string): string =>
  written.includes('\t')
    ? 'it has a tab, and only spaces separate terms'
    : 'it has a character other than visible ASCII'

function parseModifier(written: string, name: string, value: string): Term {
  const fault = ['redirect', 'exp'].includes(name)
    ? faultInDomainSpec(value)
    : faultInMacroString(value)
  return fault === undefined ? { kind: 'modifier', written, name, value } : broken(written, fault)
}

type Arguments = Pick<Directive, 'domain' | 'address'> & { ip4?: number; ip6?: number }

/** Parses what follows a mechanism's name; a string is an error. */
const ARGUMENTS: Record<Mechanism, (rest: string) => Arguments | string> = {
  all: (rest) => (rest === '' ? {} : 'nothing may follow "all"'),
  include: neededDomain,
  exists: neededDomain,
  ptr: (rest) => (rest === '' ? {} : neededDomain(rest)),
  a: domainAndPrefix,
  mx: domainAndPrefix,
  ip4: (rest) => network(rest, 4),
  ip6: (rest) => network(rest, 6),
}

const isMechanism = (name: string): name is Mechanism => Object.hasOwn(ARGUMENTS, name)

function parseDirective(written: string): Term {
  const [, qualifier, word, rest] = /^([+?~-]?)([^:/=]*)(.*)$/.exec(written)!
  const mechanism = word!.toLowerCase()
  if (!isMechanism(mechanism)) return broken(written, whyUnknown(word!))
  const found = ARGUMENTS[mechanism](rest!)
  if (typeof found === 'string') return broken(written, found)
  const { ip4 = 32, ip6 = 128, ...what } = found
  return {
    kind: 'directive',
    written,
    qualifier: (qualifier || '+') as Qualifier,
    mechanism,
    prefix: { ip4, ip6 },
    ...what,
  }
}

const MEANT: Record<string, string> = {
  ipv4: 'ip4:',
  ipv6: 'ip6:',
  ip: 'ip4: or ip6:',
  redirect: 'redirect=',
  exp: 'exp=',
}

function whyUnknown(word: string): string {
  const meant = MEANT[word.toLowerCase()]
  if (meant !== undefined) return `there is no mechanism "${word}"; it is written ${meant}`
  if (isIPv4(word)) return `an address stands behind a mechanism: ip4:${word}`
  if (word.includes('.')) return `a domain stands behind a mechanism, as in include:${word}`
  return word === '' ? 'it names no mechanism' : `there is no mechanism "${word}"`
}

function neededDomain(rest: string): Arguments | string {
  const domain = rest.startsWith(':') ? rest.slice(1) : ''
  if (domain === '') return 'a colon and a domain must follow it'
  return faultInDomainSpec(domain) ?? { domain }
}

// RFC 7208 section 5.3: `a`, `a:domain`, `a/24`, `a//64`, `a:domain/24//64`.
function domainAndPrefix(rest: string): Arguments | string {
  const [lengths, ip4, ip6] = /(?:\/(\d+))?(?:\/\/(\d+))?$/.exec(rest)!
  const domain = rest.slice(0, rest.length - lengths.length)
  if (domain.startsWith('/')) return 'a prefix length is a number: /24 for IPv4, //64 for IPv6'
  const fault = faultInPrefix(ip4, 32) ?? faultInPrefix(ip6, 128)
  if (fault !== undefined) return fault
  const prefix = { ...(ip4 && { ip4: Number(ip4) }), ...(ip6 && { ip6: Number(ip6) }) }
  if (domain === '') return prefix
  const named = neededDomain(domain)
  return typeof named === 'string' ? named : { ...named, ...prefix }
}

function network(rest: string, family: 4 | 6): Arguments | string {
  const [, address, prefix] = /^:([^/]*)(?:\/(.*))?$/.exec(rest) ?? []
  if (!address) return `a colon and an IPv${family} address must follow it`
  const fault = faultInAddress(address, family)
  if (fault !== undefined) return fault
  const most = family === 4 ? 32 : 128
  const length = prefix === undefined ? most : Number(prefix)
  return faultInPrefix(prefix, most) ?? { address, [`ip${family}`]: length }
}

function faultInAddress(address: string, family: 4 | 6): string | undefined {
  const isRight = family === 4 ? isIPv4(address) : isIPv6(address) && !address.includes('%')
  if (isRight) return undefined
  if (family === 4 && isIPv6(address)) return 'this is an IPv6 address, which is written ip6:'
  if (family === 6 && isIPv4(address)) return 'this is an IPv4 address, which is written ip4:'
  if (address.includes(',')) return 'each address needs a term of its own'
  return `"${address}" is no IPv${family} address`
}

// RFC 7208 section 12: without leading zeros.
function faultInPrefix(written: string | undefined, most: number): string | undefined {
  if (written === undefined) return undefined
  const isRight = /^(?:0|[1-9]\d{0,2})$/.test(written) && Number(written) <= most
  return isRight ? undefined : `"/${written}" is no prefix length from 0 to ${most}`
}
