/** Asks what an SPF policy costs receivers, as they would ask (RFC 7208 section 4.6.4). Judges nothing. */
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

/** Ten terms ask twenty questions at most: a policy that needs more than this is too long by far. */
const QUESTIONS = 60

/** Deeper than any policy within the limit. */
const DEPTH = 10

type Type = 'TXT' | 'A' | 'AAAA' | 'MX'
type Walk = { ask: (name: string, type: Type) => Promise<Found> }
/** What a name has of a type; or that it could not be asked, which says nothing about it. */
type Found = { data: readonly string[] } | { unasked: string }

/**
 * One entry for each term of the policy of `owner` that asks. Names that cannot be asked are part of the
 * answer. What `a` and `mx` of `owner` itself find is not asked for: its records are ours to publish.
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

/** Asks each question once, and no more of them than is sensible. */
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

/** Thirty terms at least have asked by then, so what this one leads to changes no verdict. */
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

/** A receiver asks for the addresses of one family; void is only what has neither. */
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
