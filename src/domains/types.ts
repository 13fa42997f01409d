/** The public statuses, as the API that we are compatible with names them. */
export type DomainStatus =
  | 'PENDING'
  | 'DNS_CONFIGURING'
  | 'DNS_PENDING'
  | 'SERVICES_CONFIGURING'
  | 'ACTIVE'
  | 'FAILED'

/** The named facts that make up a domain's life, in the order of the lifecycle. */
export type ConditionType =
  | 'zone_ready'
  | 'delegated'
  | 'sender_registered'
  | 'mail_domain_ready'
  | 'records_published'
  | 'sender_verified'
  | 'mail_proven'

/** What a look at the world found. A look that could not be taken throws instead, and changes no verdict. */
export type Verdict =
  | { is: 'met' }
  | { is: 'not_applicable'; reason: string; message: string }
  | { is: 'waiting'; reason: string; message: string }
  | { is: 'failed'; reason: string; message: string }

/**
 * A stored verdict. `since` is when the condition became met, or unmet. `waitedMs` and `unmetMs` count only
 * time between completed looks: `waitedMs` since the last retry, `unmetMs` since the condition was last
 * met.
 */
export type Condition = {
  verdict: Verdict
  since: Date
  waitedMs: number
  unmetMs: number
  lastLookAt: Date | undefined
  lastLookError: string | undefined
  nextLookAt: Date | undefined
}

export type Party = 'us' | 'customer' | 'provider'

/** A domain as a pass sees it. `name` has no trailing dot. */
export type Domain = {
  id: string
  workspaceId: string
  name: string
  conditions: ReadonlyMap<ConditionType, Condition>
  activatedAt: Date | undefined
  createdAt: Date
  /** When a person last asked about the delegation; the cadence of looks starts anew from here. */
  askedAt: Date
  /** Whether the mail services may be started once the delegation is seen. */
  mayActivate: boolean
  delegation: DelegationReport | undefined
  /** Whether the parent, at the last look, showed names of the pool that are not the claim's pair. */
  pointsAtPool: boolean
  /** Whether the customer has, or had, records of their own in the zone. */
  hasOwnRecords: boolean
  /** Whether the import of its records is still to be done. */
  importIsWanted: boolean
  /** Whether mail that goes elsewhere may be taken over. */
  takeMail: boolean
  /** Whether the next plan may drop many rrsets at once. */
  acceptsDrops: boolean
  claim: Claim
}

/** A workspace's wish for a name, with the pair of nameservers that proves it; empty until drawn. */
export type Claim = {
  claimId: string
  name: string
  nameservers: readonly string[]
}

export type DelegationVerdict =
  | 'delegated'
  | 'elsewhere'
  | 'partial'
  | 'wrong_pair'
  | 'not_delegated'
  | 'not_published'
  | 'propagating'
  | 'lame'
  | 'ds_left_over'
  | 'shadowed'
  | 'inside_your_zone'
  | 'intercepted'
  | 'wildcard'
  | 'unknown'

/** What the parent's servers said, in the shape the API shows. Names without trailing dots. */
export type DelegationReport = {
  verdict: DelegationVerdict
  message: string
  expected: readonly string[]
  observed: readonly string[]
  servers: readonly ServerReport[]
  checkedAt: string
  settledAt: string | null
  /** How long caches may keep what this look showed, in seconds. */
  keptForS: number
  /** Until when some cache may hold what an earlier look showed. */
  keptUntil?: string
  /** When an established delegation was first seen missing; a later look confirms the loss. */
  lostAt?: string
  /** When it was last seen before that. */
  seenAt?: string
}

export type ServerReport = {
  name: string
  address: string
  transport: 'udp' | 'tcp'
  outcome: string
  nameservers: readonly string[]
  authoritative: boolean
  ttl: number | null
  ms: number
}
