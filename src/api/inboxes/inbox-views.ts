import type { InboxRow } from '#store/inboxes.ts'
import { SUCCESS } from '../http/shapes.ts'

/** An inbox as the API shows it, as a sender account. */
export function inboxItem(row: InboxRow, message = 'Sender account retrieved successfully') {
  return {
    ...SUCCESS,
    message,
    inbox_id: row.id,
    email_address: row.address,
    display_name: row.display_name,
    inbox_type: row.inbox_type,
    daily_limit: row.daily_limit,
    signature: row.signature,
    overall_status: row.status,
    problem: row.problem,
    pause: pauseOf(row),
    domain_id: row.domain_id,
    created_at: row.created_at.toISOString(),
  }
}

/** In JSON, times are texts. */
export const pauseOf = ({ pause }: InboxRow) =>
  pause && { ...pause, at: new Date(pause.at).toISOString() }
