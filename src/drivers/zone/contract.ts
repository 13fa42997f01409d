/** What a DNS host must do for us. Words as in RFC 9499. */

import type { RRset } from '#dns/rrset.ts'

export {
  isNamedType,
  isRRsetType,
  type NamedType,
  type RRset,
  type RRsetType,
  rrsetTypeOf,
} from '#dns/rrset.ts'

/**
 * Whose zone this is. Objects at the provider are stamped with `claimId`, and only a matching stamp
 * is adopted or removed. `name` is the domain without a trailing dot; `nameservers` is its pair.
 */
export type ClaimRef = { claimId: string; name: string; nameservers: readonly string[] }

/** An rrset that is not answered with, and a sentence that names the part. */
export type Unserved = Pick<RRset, 'name' | 'type'> & { why: string }

export type Change = { put: RRset } | { drop: Pick<RRset, 'name' | 'type'> }

/** Visitors of `hosts` are led to the host name `targetDomain`, over HTTPS. */
export type Redirect = {
  hosts: readonly string[]
  targetDomain: string
  statusCode: number
  preservePath: boolean
  preserveQueryString: boolean
}

/** What leads visitors at a zone host that has web servers of its own. */
export interface RedirectRules {
  /** What an A record of a redirected host holds, so that visitors come to those web servers. */
  readonly address: string

  /** Leads visitors so, and not as it was told before. Safe to repeat. `rejected` without the zone. */
  lead(claim: ClaimRef, redirect: Redirect, signal: AbortSignal): Promise<void>

  /** Leads nobody any more. An absent zone, or one without the claim's stamp, is success. */
  stop(claim: ClaimRef, signal: AbortSignal): Promise<void>
}

export interface ZoneDriver {
  /** Who names the nameservers: `pair`: the claim, out of our pool; `host`: the host assigns them. */
  readonly naming: 'pair' | 'host'

  /** Whether a name can have but one zone here, so that claims on it must take turns. */
  readonly oneZonePerName: boolean

  /**
   * Makes the zone exist and names the servers to delegate to. Safe to repeat. `conflict` where a
   * zone of this name stands that does not carry the claim's stamp.
   */
  ensureZone(claim: ClaimRef, signal: AbortSignal): Promise<{ nameservers: readonly string[] }>

  /** Every rrset in the zone, without the apex SOA and NS; undefined when the claim has no zone. */
  readZone(claim: ClaimRef, signal: AbortSignal): Promise<readonly RRset[] | undefined>

  /** Puts and drops whole rrsets and touches no other. Safe to repeat. `rejected` without the zone. */
  changeZone(claim: ClaimRef, changes: readonly Change[], signal: AbortSignal): Promise<void>

  /** Makes the claim's zone not exist. An absent zone, or one without its stamp, is success. */
  removeZone(claim: ClaimRef, signal: AbortSignal): Promise<void>

  /**
   * The rrsets of the claim's zone that the host holds and cannot answer with, and why. Absent where a
   * host refuses them at once.
   */
  unservedIn?(claim: ClaimRef, signal: AbortSignal): Promise<readonly Unserved[]>

  /** Where the host leads visitors itself; without it, the installation's own web server does. */
  readonly redirects?: RedirectRules | undefined

  /** Why this host cannot hold the rrset, if so. Pure; called before any change is sent. */
  objectionTo(rrset: RRset): string | undefined
}
