/** What a DNS host must do for us. Words as in RFC 9499. */

export type RRsetType = 'A' | 'AAAA' | 'CAA' | 'CNAME' | 'MX' | 'NS' | 'SRV' | 'TXT'

/**
 * All records of one name and type. `name` is absolute, lowercase, with a trailing dot; `ttl` is in
 * seconds; `data` is presentation form, but a TXT value is one unquoted, unsplit string per record.
 */
export type RRset = { name: string; type: RRsetType; ttl: number; data: readonly string[] }

/**
 * Whose zone this is. Objects at the provider are stamped with `claimId`, and only a matching stamp
 * is adopted or removed. `name` is the domain without a trailing dot; `nameservers` is its pair.
 */
export type ClaimRef = { claimId: string; name: string; nameservers: readonly string[] }

export type Change = { put: RRset } | { drop: Pick<RRset, 'name' | 'type'> }

export interface ZoneDriver {
  /** Makes the zone exist and names the servers to delegate to. Safe to repeat. */
  ensureZone(claim: ClaimRef, signal: AbortSignal): Promise<{ nameservers: readonly string[] }>

  /** Every rrset in the zone, without the apex SOA and NS. */
  readZone(claim: ClaimRef, signal: AbortSignal): Promise<readonly RRset[]>

  /** Puts and drops whole rrsets and touches no other. Safe to repeat. */
  changeZone(claim: ClaimRef, changes: readonly Change[], signal: AbortSignal): Promise<void>

  /** Makes the zone not exist. An absent zone is success. */
  removeZone(claim: ClaimRef, signal: AbortSignal): Promise<void>

  /** Why this host cannot hold the rrset, if so. Pure; called before any change is sent. */
  objectionTo(rrset: RRset): string | undefined
}
