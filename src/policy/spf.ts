/** Reads, merges, counts and writes SPF policies (RFC 7208). A library evaluates them for mail. */
import { isIPv6 } from 'node:net'

export * from './spf/cost.ts'
export { hasMacro } from './spf/domain-spec.ts'
export { mergeSpf } from './spf/merge.ts'
export { type BrokenTerm, brokenTermsOf, isSpf, parseSpf } from './spf/parse.ts'

/** A policy that passes only these addresses; without addresses, none. */
export const spfOfAddresses = (...addresses: readonly string[]): string =>
  ['v=spf1', ...addresses.map(mechanismOf), '-all'].join(' ')

const mechanismOf = (address: string): string =>
  isIPv6(address) ? `ip6:${address}` : `ip4:${address}`

/** A policy that passes the domain's MX hosts, and gives softfail for all else. */
export const SPF_OF_MX = 'v=spf1 mx ~all'

/** A policy that passes what the one at `name` passes, and gives softfail for all else. */
export const spfIncluding = (name: string): string => `v=spf1 include:${name} ~all`
