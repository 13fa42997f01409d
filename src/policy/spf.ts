/** SPF policies (RFC 7208): recognising, merging and writing them. Evaluating mail is a library's job. */
import { isIPv6 } from 'node:net'

/** RFC 7208 section 4.6.4: at most ten terms that cause a look-up. */
export const SPF_LOOKUP_LIMIT = 10

const LOOKUP_TERM = /^[+?~-]?(include:|a$|a[:/]|mx$|mx[:/]|ptr$|ptr:|exists:)|^redirect=/i

// RFC 7208 section 4.5: the version is followed by a space or the end.
export const isSpf = (txt: string): boolean => /^v=spf1( |$)/i.test(txt)

const termsOf = (policy: string): string[] => policy.split(/ +/).slice(1).filter(Boolean)

/** The terms of the policy itself that cost a look-up each, not counting what they include. */
export const spfLookups = (policy: string): string[] =>
  termsOf(policy).filter((term) => LOOKUP_TERM.test(term))

/**
 * One policy that allows what any of the given ones allow. There may be only one record per name
 * (RFC 7208 section 3.2). It ends with the strictest `all` that one of them demands; a `redirect`,
 * which an `all` would switch off (section 6.1), becomes the `include` it amounts to beside others.
 */
export function mergeSpf(policies: readonly string[]): string {
  const [only, ...others] = new Set(policies)
  if (only !== undefined && others.length === 0) return only
  const terms = policies.flatMap(termsOf).map((term) => term.replace(/^redirect=/i, 'include:'))
  const mechanisms = [...new Set(terms.filter((term) => !isAll(term)))]
  const written = terms.map((term) => term.toLowerCase())
  const all = ['-all', '~all', '?all'].find((wanted) => written.includes(wanted)) ?? '~all'
  return ['v=spf1', ...mechanisms, all].join(' ')
}

const isAll = (term: string): boolean => /^[+?~-]?all$/i.test(term)

/** The policy of whose mail comes from these addresses alone; of nobody's, without any. */
export const spfOfAddresses = (...addresses: readonly string[]): string =>
  ['v=spf1', ...addresses.map(mechanismOf), '-all'].join(' ')

const mechanismOf = (address: string): string =>
  isIPv6(address) ? `ip6:${address}` : `ip4:${address}`

/** The policy of whose mail comes from where mail for it goes, and that leaves it to the receiver what else. */
export const SPF_OF_MX = 'v=spf1 mx ~all'

/** The policy that allows what the one at `name` does, and leaves it to the receiver what else. */
export const spfIncluding = (name: string): string => `v=spf1 include:${name} ~all`
