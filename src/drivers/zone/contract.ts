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
 * The claim of a zone. Objects at the provider are stamped with `claimId`, and only a matching stamp is
 * adopted or removed. `name` is the domain without a trailing dot; `nameservers` is its pair.
 */
export type ClaimRef = { claimId: string; name: string; nameservers: readonly string[] }

/** An rrset that is not served, and a sentence that names the part. */
export type Unserved = Pick<RRset, 'name' | 'type'> & { why: string }

export type Change = { put: RRset } | { drop: Pick<RRset, 'name' | 'type'> }

/** Redirects visitors of `hosts` to the host name `targetDomain`, over HTTPS. */
export type Redirect = {
  hosts: readonly string[]
  targetDomain: string
  statusCode: number
  preservePath: boolean
  preserveQueryString: boolean
}

/** Redirects at a zone host that has its own web servers. */
export interface RedirectRules {
  /** The value of a redirected host's A record, which routes visitors to those web servers. */
  readonly address: string

  /** Sets the redirect, in place of any before. Safe to repeat. `rejected` without the zone. */
  ensure(claim: ClaimRef, redirect: Redirect, signal: AbortSignal): Promise<void>

  /** Removes the redirect. An absent zone, or one without the claim's stamp, is success. */
  remove(claim: ClaimRef, signal: AbortSignal): Promise<void>
}

export interface ZoneDriver {
  /** Who chooses the nameservers: `pair`: our pool; `host`: the host assigns them. */
  readonly naming: 'pair' | 'host'

  /** Whether a name can have only one zone here, so that claims on it must take turns. */
  readonly oneZonePerName: boolean

  /**
   * Makes the zone exist and returns the nameservers to delegate to. Safe to repeat. `conflict` if this
   * name has a zone without the claim's stamp.
   */
  ensureZone(claim: ClaimRef, signal: AbortSignal): Promise<{ nameservers: readonly string[] }>

  /** Every rrset in the zone, without the apex SOA and NS; undefined when the claim has no zone. */
  readZone(claim: ClaimRef, signal: AbortSignal): Promise<readonly RRset[] | undefined>

  /** Puts and drops whole rrsets and touches no other. Safe to repeat. `rejected` without the zone. */
  changeZone(claim: ClaimRef, changes: readonly Change[], signal: AbortSignal): Promise<void>

  /** Deletes the claim's zone. An absent zone, or one without its stamp, is success. */
  removeZone(claim: ClaimRef, signal: AbortSignal): Promise<void>

  /**
   * The claim's rrsets that the host holds and cannot serve, and why. Absent where a host refuses these
   * at once.
   */
  unservedIn?(claim: ClaimRef, signal: AbortSignal): Promise<readonly Unserved[]>

  /** Redirects by the host itself; without it, the installation's own web server redirects. */
  readonly redirects?: RedirectRules | undefined

  /** Why this host cannot hold the rrset, if so. Pure; called before any change is sent. */
  objectionTo(rrset: RRset): string | undefined
}
