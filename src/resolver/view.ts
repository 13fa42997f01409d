/**
 * The public DNS as one pass sees it. A pass asks for a delegation once, and the next pass asks again.
 * Delegations above it are shared by all passes of the process.
 */
import { Cuts, sharedCuts } from './cuts.ts'
import { iterativeResolver, type Reach } from './iterate.ts'
import { type Observer, parentObserver } from './parent.ts'
import type { Resolver } from './resolver.ts'
import { type Surveyor, surveyor } from './survey.ts'

export type DnsView = {
  observer: Observer
  /** Answers as a resolver with an empty cache gets them. */
  publicDns: Resolver
  surveyor: Surveyor
}

/** Gives each pass a view of its own. `now` is in milliseconds, and never runs backwards. */
export function dnsViews(reach: Reach, now: () => number): () => DnsView {
  const shared = sharedCuts(now)
  let turn = 0
  return () => {
    const cuts = new Cuts(shared)
    return {
      observer: parentObserver(reach, cuts, () => turn++),
      publicDns: iterativeResolver(reach, cuts),
      surveyor: surveyor(reach, cuts),
    }
  }
}
