/** Which claim's zone our nameservers answer from, and which domains a query wakes. Pure. */

/** The statuses of domains that are being set up, which are served before they hold their names. */
export const SET_UP: readonly string[] = ['PENDING', 'DNS_CONFIGURING', 'DNS_PENDING']

/** The statuses of domains that wait for their delegation: a query for such a name is a reason to look. */
const AWAITED: readonly string[] = [...SET_UP, 'FAILED']

/** How a status affects the serving of the name, and whether a query wakes the domain. */
export const servedAs = (status: string): 'set up' | 'awaited' | 'settled' =>
  SET_UP.includes(status) ? 'set up' : AWAITED.includes(status) ? 'awaited' : 'settled'

/** A claim that has a zone. */
export type ZonedClaim = {
  claimId: string
  /** The claim that holds the name, if any. */
  holder: string | null
  /** Whether the parent shows names of our pool other than the claim's pair. */
  pointsAtPool: boolean
  status: string
}

/**
 * The claim whose zone is served, of all on a name, the oldest first: the holder; without a holder, the oldest
 * that is being set up, unless the parent shows another pair of ours: that may be another claim's delegation.
 */
export const chooseServed = <C extends ZonedClaim>(claims: readonly C[]): C | undefined =>
  claims.find(({ claimId, holder }) => claimId === holder) ??
  claims.find(
    ({ holder, pointsAtPool, status }) =>
      holder === null && !pointsAtPool && SET_UP.includes(status),
  )

/** A domain of the name that is asked for. */
export type AskedDomain = { status: string; isDelegated: boolean; isBeingRemoved: boolean }

/**
 * Whether a query for its name wakes the domain, because it waits for a delegation to come or go. One that
 * failed at a later stage is retried on request only.
 */
export const isWokenByQuery = ({ status, isDelegated, isBeingRemoved }: AskedDomain): boolean =>
  isBeingRemoved || SET_UP.includes(status) || (status === 'FAILED' && !isDelegated)
