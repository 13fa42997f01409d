/** Whether mail of a domain may leave. Pure. */
import { hours } from '../clock.ts'
import { type Conditions, isDone } from './lifecycle.ts'
import type { DelegationReport } from './types.ts'

export type SendingObstacle = 'delegation_lost' | 'sender_not_ready' | 'delegation_not_seen_lately'

const SEEN_WITHIN_MS = hours(1)

/**
 * What keeps mail from leaving: a delegation has to be seen within the hour, whatever grace says. The
 * status is not asked, for a domain that becomes active sends its proof first.
 */
export function sendingObstacle(
  conditions: Conditions,
  delegation: DelegationReport | null,
  now: Date,
): SendingObstacle | undefined {
  const delegated = conditions.get('delegated')
  if (delegated?.verdict.is !== 'met') return 'delegation_lost'
  if (!isDone(conditions.get('sender_registered')?.verdict)) return 'sender_not_ready'
  // A look that did not find it any more is no sight of it.
  const seenAtMs = delegation?.seenAt
    ? Date.parse(delegation.seenAt)
    : (delegated.lastLookAt?.getTime() ?? 0)
  return now.getTime() - seenAtMs > SEEN_WITHIN_MS ? 'delegation_not_seen_lately' : undefined
}
