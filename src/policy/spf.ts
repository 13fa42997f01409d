/** SPF policies (RFC 7208): reading, merging, counting and writing them. Evaluating mail is a library's job. */
import { isIPv6 } from 'node:net'

export * from './spf/cost.ts'
export { hasMacro } from './spf/domain-spec.ts'
export { mergeSpf } from './spf/merge.ts'
export { type BrokenTerm, brokenTermsOf, isSpf, parseSpf } from './spf/parse.ts'

/** The policy of whose mail comes from these addresses alone; of nobody's, without any. */
export const spfOfAddresses = (...addresses: readonly string[]): string =>
  ['v=spf1', ...addresses.map(mechanismOf), '-all'].join(' ')

const mechanismOf = (address: string): string =>
  isIPv6(address) ? `ip6:${address}` : `ip4:${address}`

/** The policy of whose mail comes from where mail for it goes, and that leaves it to the receiver what else. */
export const SPF_OF_MX = 'v=spf1 mx ~all'

/** The policy that allows what the one at `name` does, and leaves it to the receiver what else. */
export const spfIncluding = (name: string): string => `v=spf1 include:${name} ~all`
