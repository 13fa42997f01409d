/** Whether mail of a domain may leave. Pure. */
import { hours } from '../clock.ts'
import { type Conditions, isDone } from './lifecycle.ts'
import type { DelegationReport } from './types.ts'

export type SendingObstacle = 'delegation_lost' | 'sender_not_ready' | 'delegation_not_seen_lately'

const SEEN_WITHIN_MS = hours(1)

/**
 * Why mail may not leave: the delegation must have been seen within the hour, whatever the grace. The
 * status does not count, as a domain sends its probe before it is active.
 */
export function sendingObstacle(
  conditions: Conditions,
  delegation: DelegationReport | null,
  now: Date,
): SendingObstacle | undefined {
  const delegated = conditions.get('delegated')
  if (delegated?.verdict.is !== 'met') return 'delegation_lost'
  if (!isDone(conditions.get('sender_registered')?.verdict)) return 'sender_not_ready'
  // A look that missed the delegation does not count.
  const seenAtMs = delegation?.seenAt
    ? Date.parse(delegation.seenAt)
    : (delegated.lastLookAt?.getTime() ?? 0)
  return now.getTime() - seenAtMs > SEEN_WITHIN_MS ? 'delegation_not_seen_lately' : undefined
}
