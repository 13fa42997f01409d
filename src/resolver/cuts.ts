/**
 * Caches the delegations by the root and the registries, and the addresses of nameservers, for
 * their TTLs. It never caches an answer. It keeps the delegation of a name that a customer can
 * register only during the pass that saw it.
 */
import { isPublicSuffix } from '#names/domain-name.ts'
import type { Urgency } from './pace.ts'
import type { Reply, Rr } from './reply.ts'

export type NamedServer = { name: string; address: string }

/** A zone cut and its servers; `isRemembered`: another pass learned some of it. */
export type Cut = { zone: string; servers: readonly NamedServer[]; isRemembered: boolean }

/** The referral to a zone. */
type Known = { referral: Reply; isRemembered: boolean }

/** The cache that all passes of a process share. */
export type SharedCuts = {
  referrals: TtlCache<Reply>
  addresses: TtlCache<readonly string[]>
  /** The queries for a cut that are under way, by urgency and zone. */
  underWay: Map<string, Promise<unknown>>
  /** Public suffixes without a zone cut: passes need not wait for each other's queries for one. */
  uncut: TtlCache<true>
}

/** Registries' NS rrsets have TTLs of days; we learn of new servers after this time. */
const KEPT_AT_MOST_S = 86_400
const CUTS = 5000
const UNCUT_KEPT_S = 600
const HOSTS = 20_000
/** More than any pass sees. */
const OWN_CUTS = 200

/** `now` is in milliseconds, and never runs backwards. */
export const sharedCuts = (now: () => number): SharedCuts => ({
  referrals: new TtlCache(CUTS, now),
  addresses: new TtlCache(HOSTS, now),
  underWay: new Map(),
  uncut: new TtlCache(CUTS, now),
})

/** Keeps values for their TTL; a full cache removes the oldest. */
class TtlCache<T> {
  readonly #entries = new Map<string, { value: T; until: number }>()
  readonly #limit: number
  readonly #now: () => number

  constructor(limit: number, now: () => number) {
    this.#limit = limit
    this.#now = now
  }

  get(key: string): T | undefined {
    const found = this.#entries.get(key)
    return found && found.until > this.#now() ? found.value : undefined
  }

  put(key: string, value: T, ttlS: number): void {
    this.#entries.delete(key)
    if (ttlS <= 0) return
    if (this.#entries.size >= this.#limit) this.delete(this.#entries.keys().next().value!)
    this.#entries.set(key, { value, until: this.#now() + Math.min(ttlS, KEPT_AT_MOST_S) * 1000 })
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}

/** The cuts that one pass knows: the shared ones, and its own, which no other pass uses. */
export class Cuts {
  readonly #shared: SharedCuts
  readonly #own = new Map<string, Reply>()

  constructor(shared: SharedCuts) {
    this.#shared = shared
  }

  /** The referral to the zone, if known. */
  at(zone: string): Known | undefined {
    const own = this.#own.get(zone)
    if (own) return { referral: own, isRemembered: false }
    const referral = this.#shared.referrals.get(zone)
    return referral && { referral, isRemembered: true }
  }

  keep(zone: string, referral: Reply): void {
    // A server that offers recursion may impersonate a registry: passes do not share its answers.
    if (isPublicSuffix(zone) && !referral.recursionAvailable) {
      this.#shared.referrals.put(zone, referral, ttlOf(referral))
    } else {
      if (this.#own.size >= OWN_CUTS) this.#own.clear()
      this.#own.set(zone, referral)
    }
  }

  /** Forgets a cut and the addresses of its servers, because any of them may be wrong by now. */
  forget({ zone, servers }: Cut): void {
    this.#own.delete(zone)
    this.#shared.referrals.delete(zone)
    for (const { name } of servers) this.#shared.addresses.delete(name)
  }

  addressesOf(host: string): readonly string[] | undefined {
    return this.#shared.addresses.get(host)
  }

  keepAddresses(host: string, addresses: readonly string[], ttlS: number): void {
    this.#shared.addresses.put(host, addresses, ttlS)
  }

  /**
   * Calls `ask`, unless another pass already asks for the same cut: then waits for the end of that
   * query, and returns undefined. A query of urgency `asked` does not wait for a routine one.
   */
  async askUnlessUnderWay<T>(
    zone: string,
    name: string,
    urgency: Urgency,
    signal: AbortSignal,
    ask: () => Promise<T>,
  ): Promise<{ reply: T } | undefined> {
    const below = suffixBelow(zone, name)
    const { underWay, uncut, referrals } = this.#shared
    if (below === undefined || uncut.get(below)) return { reply: await ask() }
    const key = `${urgency} ${below}`
    const other = underWay.get(key)
    if (other) {
      await Promise.race([other.catch(() => undefined), aborted(signal)])
      return undefined
    }
    const asking = ask()
    underWay.set(key, asking)
    try {
      const reply = await asking
      if (!referrals.get(below)) uncut.put(below, true, UNCUT_KEPT_S)
      return { reply }
    } finally {
      underWay.delete(key)
    }
  }
}

const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))

/** In seconds: the shortest TTL in a referral. */
const ttlOf = ({ authorities, additionals }: Reply): number =>
  Math.min(...[...authorities, ...additionals].filter(isOfReferral).map(({ ttl }) => ttl))

const isOfReferral = ({ type }: Rr): boolean => type === 'NS' || type === 'A' || type === 'AAAA'

/** The name one label below the zone, towards `name`, if it is a public suffix. */
function suffixBelow(zone: string, name: string): string | undefined {
  const depth = zone === '' ? 0 : zone.split('.').length
  const labels = name.split('.')
  const below = labels.slice(labels.length - depth - 1).join('.')
  return labels.length > depth && isPublicSuffix(below) ? below : undefined
}
