/** What an SPF policy costs a receiver (RFC 7208 section 4.6.4): the look-ups of its terms. */
import { type Directive, type Modifier, parseSpf } from './parse.ts'

/** RFC 7208 section 4.6.4: more terms with look-ups, included policies counted, are a permerror. */
export const SPF_LOOKUP_LIMIT = 10
/** RFC 7208 section 4.6.4: more void look-ups are a permerror. */
export const SPF_VOID_LIMIT = 2
/** RFC 7208 section 4.6.4: more hosts in one `mx` are a permerror. */
export const SPF_MX_LIMIT = 10

const ASKING = ['include', 'a', 'mx', 'ptr', 'exists']

export type AskingTerm = Directive | Modifier

/** The terms of the policy itself that cost a look-up each, in the order in which they are tried. */
export function askingTerms(policy: string): AskingTerm[] {
  const terms = parseSpf(policy)
  const directives = terms.filter((term) => term.kind === 'directive')
  const end = directives.findIndex(({ mechanism }) => mechanism === 'all')
  const tried = end === -1 ? directives : directives.slice(0, end)
  // RFC 7208 section 6.1: beside `all` a redirect is ignored.
  const redirects = terms.filter((term) => term.kind === 'modifier' && term.name === 'redirect')
  const asking = tried.filter(({ mechanism }) => ASKING.includes(mechanism))
  return end === -1 ? [...asking, ...(redirects as Modifier[])] : asking
}

export const spfLookups = (policy: string): string[] =>
  askingTerms(policy).map(({ written }) => written)

/** What a receiver finds when it evaluates one term. */
export type SpfCost = {
  /** As it is written. */
  term: string
  /** Its look-up is void: it finds nothing. */
  isVoid?: true
  /** It leads back to itself. */
  isLoop?: true
  /** How many mail servers its `mx` finds, where that is too many. */
  servers?: number
  /** Why receivers take the policy it leads to for broken: "x.test has no SPF policy". */
  fault?: string
  /** The name that could not be asked: its records are unknown. */
  unasked?: string
  /** The terms of the policy it leads to. */
  inner: readonly SpfCost[]
}

/** Counts the term and all it leads to; a loop exceeds the limit. */
export const lookupsOf = ({ isLoop, inner }: SpfCost): number =>
  isLoop ? SPF_LOOKUP_LIMIT + 1 : inner.reduce((sum, each) => sum + lookupsOf(each), 1)

export const allOf = (costs: readonly SpfCost[]): SpfCost[] =>
  costs.flatMap((cost) => [cost, ...allOf(cost.inner)])

/** Which limit a policy exceeds, what each term costs, and what to do; undefined where it exceeds none. */
export function excessOf(
  name: string,
  costs: readonly SpfCost[],
  isOurs: (term: string) => boolean,
): string | undefined {
  const count = costs.reduce((sum, cost) => sum + lookupsOf(cost), 0)
  const all = allOf(costs)
  const voids = all.filter(({ isVoid }) => isVoid)
  const crowded = all.find(({ servers }) => servers !== undefined)
  if (count > SPF_LOOKUP_LIMIT) return tooMany(name, count, costs, isOurs)
  if (voids.length > SPF_VOID_LIMIT) {
    return `The SPF policy of ${name} asks for ${voids.length} names that have no such records, and receivers treat more than ${SPF_VOID_LIMIT} as an error; take out what is not needed any more, and retry: ${list(voids.map(({ term }) => term))}.`
  }
  if (crowded === undefined) return undefined
  return `In the SPF policy of ${name}, ${crowded.term} leads to ${crowded.servers} mail servers, and receivers treat more than ${SPF_MX_LIMIT} as an error; list their addresses with ip4: and ip6: instead, and retry.`
}

function tooMany(
  name: string,
  count: number,
  costs: readonly SpfCost[],
  isOurs: (term: string) => boolean,
): string {
  const theirs = costs.filter(({ term }) => !isOurs(term))
  const byCost = theirs.toSorted((a, b) => lookupsOf(b) - lookupsOf(a))
  const terms = byCost.map((cost) => `${cost.term} (${priceOf(cost)})`)
  const loop = allOf(costs).find(({ isLoop }) => isLoop)
  if (loop) {
    return `The SPF policy of ${name} never ends, for ${loop.term} leads back to where it stands, and receivers treat that as an error; take out of your own what leads there, and retry: ${list(terms)}.`
  }
  return `With ours, the SPF policy of ${name} takes ${count} look-ups, and receivers treat more than ${SPF_LOOKUP_LIMIT} as an error; take ${count - SPF_LOOKUP_LIMIT} at least out of your own, and retry: ${list(terms)}.`
}

const priceOf = (cost: SpfCost): string =>
  allOf([cost]).some(({ isLoop }) => isLoop) ? 'without end' : String(lookupsOf(cost))

const LISTED = 20

/** A list for a message to people: of limited length, as is each entry. */
export function list(terms: readonly string[]): string {
  const rest = terms.length > LISTED ? ' and others' : ''
  return `${terms.slice(0, LISTED).map(shown).join(', ')}${rest}`
}

const SHOWN_CHARACTERS = 120

export const shown = (text: string): string =>
  text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text
