/** Plans a removal, and computes its progress. Pure. */

/** An object that exists, or existed, at a service for a claim. */
export type Placement = {
  stage: string
  /** The account of the service. */
  driver: string
  removedAt: Date | undefined
  /** Given up by the operator. */
  abandonedAt: Date | undefined
  /** Why the last look at it could not be taken. */
  trouble: string | undefined
}

export type Holdings = {
  placements: readonly Placement[]
  inboxes: number
  /** Records of ours, and of the customer, in the zone. */
  ours: number
  theirs: number
  zoneAccount: string
  mailboxAccount: string
}

export type Part = { what: string; provider: string; count: number }

/**
 * `removed`: what the removal removes, in order. `kept`: what the zone serves as long as the parent
 * delegates to us.
 */
export function planRemoval(holdings: Holdings): {
  removed: readonly Part[]
  kept: readonly Part[]
} {
  const { placements, inboxes, ours, theirs, zoneAccount, mailboxAccount } = holdings
  const unremoved = placements.filter(({ removedAt }) => !removedAt)
  const parts = unremoved.map(({ stage, driver }) => ({
    what: stage,
    provider: driver,
    count: stage === 'records_published' ? ours : 1,
  }))
  const isThere = ({ count }: Part) => count > 0
  const inbox = { what: 'inbox', provider: mailboxAccount, count: inboxes }
  return {
    removed: [...parts, inbox].filter(isThere),
    kept: [{ what: 'customer_record', provider: zoneAccount, count: theirs }].filter(isThere),
  }
}

export type RemovalState = 'removing' | 'tombstone' | 'done' | 'abandoned'

/** A removal is abandoned where a part of it was given up, and something may be left at a service. */
export function removalState(
  { tornDownAt, removedAt }: { tornDownAt: Date | null; removedAt: Date | null },
  placements: readonly Placement[],
): RemovalState {
  if (!removedAt) return tornDownAt ? 'tombstone' : 'removing'
  return placements.some(({ abandonedAt }) => abandonedAt) ? 'abandoned' : 'done'
}

export type RemovalStep = {
  what: string
  provider: string
  state: 'waiting' | 'removed' | 'abandoned'
  message: string
}

export function removalStep({
  stage,
  driver,
  removedAt,
  abandonedAt,
  trouble = '',
}: Placement): RemovalStep {
  const step = { what: stage, provider: driver }
  if (abandonedAt) {
    const message = 'Given up: something may be left at the service.'
    return { ...step, state: 'abandoned', message }
  }
  if (removedAt) return { ...step, state: 'removed', message: '' }
  return { ...step, state: 'waiting', message: trouble }
}
