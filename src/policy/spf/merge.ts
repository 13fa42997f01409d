/** Merges several SPF policies by their meaning (RFC 7208 section 3.2: a name has one record). */

import { hasMacro } from './domain-spec.ts'
import { networkOf } from './network.ts'
import { type BrokenTerm, type Directive, type Modifier, parseSpf } from './parse.ts'

/**
 * Returns one policy that passes an address if and only if one of the given policies does. The
 * terms of each policy keep their order, because the first match decides; those of earlier policies
 * come first. A single policy stays unchanged, to the octet.
 *
 * The result ends with the strictest `all` of the policies. `+all` does not count, because it
 * passes every address. `owner` is the name of the policies, without trailing dot.
 *
 * NOTE: where two policies have terms that do not pass (`-ip4:…`), one of the first policy may match an
 * address that the second passes further down: no order of terms expresses both.
 */
export function mergeSpf(policies: readonly string[], owner?: string): string {
  const [only, ...others] = new Set(policies)
  if (only !== undefined && others.length === 0) return only
  const effective = policies.map(effectiveOf)
  const parts = effective.map(({ terms }) => splitAtRefusal(terms))
  // The terms before a policy's first refusal pass whatever they match, so they go before all refusals.
  const terms = [...parts.flatMap(({ before }) => before), ...parts.flatMap(({ from }) => from)]
  const alls = effective.map(({ all }) => all)
  const all = (['-', '~', '?'] as const).find((qualifier) => alls.includes(qualifier)) ?? '~'
  const modifiers = modifiersOf(effective.flatMap((each) => each.modifiers))
  const written = [...distinct(terms, owner), { written: `${all}all` }, ...modifiers]
  return ['v=spf1', ...written.map((term) => term.written)].join(' ')
}

type Match = Directive | BrokenTerm
type Effective = {
  terms: readonly Match[]
  all: Directive['qualifier'] | undefined
  modifiers: readonly Modifier[]
}

function effectiveOf(policy: string): Effective {
  const terms = parseSpf(policy)
  const matches = terms.filter((term) => term.kind !== 'modifier')
  const modifiers = terms.filter((term) => term.kind === 'modifier')
  const end = matches.findIndex(isAll)
  const all = matches[end]
  // RFC 7208 section 5.1: receivers never try the mechanisms after `all`.
  if (all?.kind === 'directive') {
    return { terms: matches.slice(0, end), all: all.qualifier, modifiers }
  }
  return {
    terms: [...matches, ...modifiers.filter(isRedirect).map(asInclude)],
    all: undefined,
    modifiers,
  }
}

const isAll = (term: Match): boolean => term.kind === 'directive' && term.mechanism === 'all'
const isRedirect = ({ name }: Modifier): boolean => name === 'redirect'

/**
 * RFC 7208 section 6.1: the result of a `redirect` is final, fail and neutral too. Section 5.2: an
 * `include` either passes or goes on. In the merged policy other terms and one common `all` follow, so only
 * a pass of the redirect may be final, as it is with an `include`, which is tried last, too. The common
 * `all` replaces that of the policy it leads to.
 */
const asInclude = ({ value }: Modifier): Directive => ({
  kind: 'directive',
  written: `include:${value}`,
  qualifier: '+',
  mechanism: 'include',
  domain: value,
  prefix: { ip4: 32, ip6: 128 },
})

function splitAtRefusal(terms: readonly Match[]): {
  before: readonly Match[]
  from: readonly Match[]
} {
  const isPass = (term: Match) => term.kind === 'directive' && term.qualifier === '+'
  const index = terms.findIndex((term) => !isPass(term))
  const at = index === -1 ? terms.length : index
  return { before: terms.slice(0, at), from: terms.slice(at) }
}

/** The first match decides, so only the first of equal terms is kept. */
function distinct(terms: readonly Match[], owner: string | undefined): Match[] {
  const seen = new Set<string>()
  return terms.filter((term) => {
    const meaning = term.kind === 'directive' ? meaningOf(term, owner) : term.written
    return !seen.has(meaning) && seen.add(meaning)
  })
}

/** The meaning of a term: equal for terms that, by their text, match the same addresses. */
function meaningOf(term: Directive, owner = ''): string {
  const { mechanism, address, prefix } = term
  if (mechanism === 'ip4') return `ip ${networkOf(address!, prefix.ip4)}`
  if (mechanism === 'ip6') return `ip ${networkOf(address!, prefix.ip6)}`
  return `${mechanism} ${nameOf(term, owner)} ${prefix.ip4} ${prefix.ip6}`
}

function nameOf({ domain }: Directive, owner: string): string {
  if (domain === undefined || /^%\{d\}\.?$/i.test(domain)) return normal(owner)
  // RFC 7208 section 7.3: the case of a macro's letter has a meaning.
  return hasMacro(domain) ? domain : normal(domain)
}

const normal = (name: string): string => name.toLowerCase().replace(/\.$/, '')

/** RFC 7208 section 6: modifiers should be at the end. Keeps only the first `exp`. */
function modifiersOf(modifiers: readonly Modifier[]): Modifier[] {
  const keyOf = ({ name, value }: Modifier) => (name === 'exp' ? name : `${name}=${value}`)
  const others = modifiers.filter((modifier) => !isRedirect(modifier))
  return [...new Map(others.toReversed().map((each) => [keyOf(each), each])).values()].toReversed()
}
