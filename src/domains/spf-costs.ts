/** Follows an SPF policy as receivers do, to count its cost (RFC 7208 section 4.6.4). Judges nothing. */
import {
  type AskingTerm,
  askingTerms,
  brokenTermsOf,
  hasMacro,
  isSpf,
  SPF_MX_LIMIT,
  type SpfCost,
} from '#policy/spf.ts'
import { LookupFailed, type Resolver } from '#resolver/resolver.ts'
import { seconds } from '../clock.ts'

const LIMIT_MS = seconds(20)

/** A policy within the limit asks 20 questions at most: one that needs 60 is far too long. */
const QUESTIONS = 60

/** Deeper than any policy within the limit. */
const DEPTH = 10

type Type = 'TXT' | 'A' | 'AAAA' | 'MX'
type Walk = { ask: (name: string, type: Type) => Promise<Found> }
/** The records of a name and type; or the name, if it could not be asked. */
type Found = { data: readonly string[] } | { unasked: string }

/**
 * One entry for each term of the policy of `owner` that costs a look-up, with names that could not be
 * asked. `a` and `mx` of `owner` itself are not followed: we publish those records.
 */
export async function spfCosts(
  owner: string,
  policy: string,
  resolver: Resolver,
  signal: AbortSignal,
): Promise<SpfCost[]> {
  const ask = asker(resolver, signal)
  return costsOf(policy, [owner], { ask })
}

/** Asks each question once, and at most `QUESTIONS`. */
function asker(resolver: Resolver, signal: AbortSignal): Walk['ask'] {
  const timeUp = AbortSignal.timeout(LIMIT_MS)
  const limit = AbortSignal.any([signal, timeUp])
  const asked = new Map<string, Promise<Found>>()
  return (name, type) => {
    const key = `${type} ${name}`
    const found = asked.get(key) ?? (asked.size < QUESTIONS ? ask(name, type) : TOO_MANY)
    asked.set(key, found)
    return found
  }
  async function ask(name: string, type: Type): Promise<Found> {
    try {
      const { records } = await resolver.resolve(name, type, limit)
      return { data: records.filter((rr) => rr.type === type).map(({ data }) => data) }
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof LookupFailed || timeUp.aborted) return { unasked: name }
      throw error
    }
  }
}

/** By then at least thirty terms have asked, so the policy is too long anyway. */
const TOO_MANY: Promise<Found> = Promise.resolve({ data: ['v=spf1'] })

/** `path` are the names whose policies are being read, the innermost last. */
async function costsOf(policy: string, path: readonly string[], walk: Walk): Promise<SpfCost[]> {
  return Promise.all(askingTerms(policy).map((term) => costOf(term, path, walk)))
}

async function costOf(term: AskingTerm, path: readonly string[], walk: Walk): Promise<SpfCost> {
  const leaf = { term: term.written, inner: [] }
  const name = targetOf(term, path.at(-1)!)
  // What a macro expands to depends on the message.
  if (hasMacro(name)) return leaf
  if (term.kind === 'modifier' || term.mechanism === 'include') {
    return { ...leaf, ...(await policyAt(name, path, walk)) }
  }
  if (name === path[0] || term.mechanism === 'ptr') return leaf
  return { ...leaf, ...(await recordsAt(name, term.mechanism, walk)) }
}

function targetOf(term: AskingTerm, current: string): string {
  const name = term.kind === 'modifier' ? term.value : (term.domain ?? current)
  return name
    .replaceAll(/%\{d\}/gi, current)
    .replace(/\.$/, '')
    .toLowerCase()
}

async function policyAt(
  name: string,
  path: readonly string[],
  walk: Walk,
): Promise<Partial<SpfCost>> {
  if (path.includes(name)) return { isLoop: true }
  if (path.length > DEPTH) return {}
  const found = await walk.ask(name, 'TXT')
  if ('unasked' in found) return found
  const [policy, ...others] = found.data.filter(isSpf)
  // RFC 7208 section 5.2: no policy there, or none that is valid, is a permerror here.
  if (found.data.length === 0) return { isVoid: true, fault: `${name} has no SPF policy` }
  if (policy === undefined) return { fault: `${name} has no SPF policy` }
  if (others.length > 0) return { fault: `${name} has ${others.length + 1} SPF policies` }
  const [broken] = brokenTermsOf(policy)
  if (broken) return { fault: `the SPF policy of ${name} has the broken term ${broken.written}` }
  return { inner: await costsOf(policy, [...path, name], walk) }
}

/** A receiver asks for one address family; only a name with neither is void. */
async function recordsAt(name: string, mechanism: string, walk: Walk): Promise<Partial<SpfCost>> {
  const first = await walk.ask(name, mechanism === 'mx' ? 'MX' : 'A')
  if ('unasked' in first) return first
  if (mechanism === 'mx' && first.data.length > SPF_MX_LIMIT) return { servers: first.data.length }
  if (first.data.length > 0) return {}
  if (mechanism !== 'a') return { isVoid: true }
  const second = await walk.ask(name, 'AAAA')
  if ('unasked' in second) return second
  return second.data.length > 0 ? {} : { isVoid: true }
}
