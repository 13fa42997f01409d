/** Why a message is not accepted, as a problem of the API. */
import type { Conditions } from '#domains/lifecycle.ts'
import { NotAccepted } from '#mail/outgoing/gate.ts'
import type { DomainRow } from '#store/domains.ts'
import type { InboxRow } from '#store/inboxes.ts'
import { sendingOf } from '../domains/domain-views.ts'
import { Problem } from '../http/problems.ts'

/** Throws why the inbox cannot send now. The store checks again, with its rows locked. */
export function mustSend(
  inbox: InboxRow,
  domain: DomainRow,
  conditions: Conditions,
  now: Date,
): void {
  const sending = sendingOf(domain, conditions, now)
  if (domain.status !== 'ACTIVE')
    throw new Problem('domain_not_active', { domain_status: domain.status })
  if (!sending.allowed) throw new Problem('sending_stopped', { reason: sending.reason })
  if (inbox.status === 'PAUSED')
    throw new Problem('inbox_paused', { reason: inbox.pause?.reason ?? 'user' })
  if (inbox.status !== 'ACTIVE') throw new Problem('inbox_not_ready')
}

const STOPPED_RETRY_AFTER_S = 300

/** Throws the problem that kept a message from being accepted. */
export function asProblem(error: unknown): never {
  if (!(error instanceof NotAccepted)) throw error
  const { obstacle } = error
  if (obstacle.check === 'recipient_is_not_suppressed') throw new Problem('recipient_suppressed')
  if (obstacle.is === 'stopped') {
    const { reason, at } = obstacle.stop
    throw new Problem(
      'all_sending_stopped',
      { reason, stopped_at: at.toISOString() },
      STOPPED_RETRY_AFTER_S,
    )
  }
  if (obstacle.is !== 'limited') throw new Problem('sending_stopped', { reason: obstacle.check })
  const { of, limit, endsAt } = obstacle.reached
  const fields = { limit_of: of.replace(' ', '_'), limit, limit_ends_at: endsAt.toISOString() }
  const seconds = Math.ceil((endsAt.getTime() - Date.now()) / 1000)
  throw new Problem('sending_limit_reached', fields, seconds)
}
