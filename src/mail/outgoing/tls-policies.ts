/** The MTA-STS policies of destinations (RFC 8461). DANE is not supported. */
import type { MTASTSPolicy } from 'mailauth'
import type { Resolver } from '#resolver/resolver.ts'
import { minutes, seconds } from '../../clock.ts'
import { askDns } from '../incoming/ask-dns.ts'

/** A policy as it was found, until it expires. */
export type FoundPolicy = MTASTSPolicy

/** Keeps policies over a restart: otherwise an attacker could hide a policy after one. */
export type TlsPolicyStore = {
  find(domain: string): Promise<FoundPolicy | undefined>
  keep(domain: string, policy: FoundPolicy): Promise<void>
}

export type TlsPoliciesOptions = {
  resolver: Resolver
  mayConnect(address: string): boolean
  store: TlsPolicyStore
  now(): number
}

/** For the whole look-up; RFC 8461 section 3.3 suggests a minute, but a message waits. */
const LOOKUP_MS = seconds(20)
const FETCH_MS = seconds(10)
/** Slow to load, and needed for live mail only. */
const library = () => import('mailauth/lib/mta-sts.js')

const LOOKED_AT_EVERY_MS = minutes(5)
const REMEMBERED = 10_000

export class TlsPolicies {
  readonly #options: TlsPoliciesOptions
  readonly #known = new Map<string, { policy: Promise<FoundPolicy>; at: number }>()

  constructor(options: TlsPoliciesOptions) {
    this.#options = options
  }

  /**
   * Whether an exchanger of the domain may get mail, with verified TLS only; undefined if the
   * domain enforces no policy. If the first fetch of a policy fails, there is none, as the standard
   * says.
   */
  async enforced(domain: string): Promise<((exchanger: string) => boolean) | undefined> {
    const policy = await this.#policyOf(domain)
    const { validateMx } = await library()
    if (policy.mode !== 'enforce') return undefined
    return (exchanger) => validateMx(exchanger, policy).valid
  }

  #policyOf(domain: string): Promise<FoundPolicy> {
    const now = this.#options.now()
    const known = this.#known.get(domain)
    if (known && now - known.at < LOOKED_AT_EVERY_MS) return known.policy
    const policy = this.#lookUp(domain, known?.policy)
    this.#known.delete(domain)
    if (this.#known.size >= REMEMBERED) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(domain, { policy, at: now })
    // After a failed look-up, the next message looks up again.
    policy.catch(() => this.#known.delete(domain))
    return policy
  }

  async #lookUp(domain: string, known: Promise<FoundPolicy> | undefined): Promise<FoundPolicy> {
    const { store, resolver, mayConnect } = this.#options
    // A policy that another process found counts for more than a failed look-up of this one.
    const before = (await store.find(domain)) ?? (await known?.catch(() => undefined))
    const signal = AbortSignal.timeout(LOOKUP_MS)
    const ask = async (name: string, type: string) => {
      const answer = await askDns(resolver, name, type, signal)
      if (!('records' in answer))
        throw Object.assign(new Error(answer.message), { code: answer.code })
      const isAddress = type === 'A' || type === 'AAAA'
      const records = answer.records.filter((each) => !isAddress || mayConnect(String(each)))
      if (records.length > 0) return records
      throw Object.assign(new Error(`no ${type} of ${name} may be connected to`), {
        code: 'ENODATA',
      })
    }
    const options = { resolver: ask as never, timeout: FETCH_MS }
    const { getPolicy } = await library()
    const { policy, status } = await getPolicy(domain, before, options)
    if (status === 'found') await store.keep(domain, policy)
    return policy
  }
}
