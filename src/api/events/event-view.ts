import type { EventRow } from '#store/events.ts'

/** An event as the API shows it. */
export const eventView = ({ id, type, at, domain_id, stage, message, data }: EventRow) => ({
  event_id: id,
  type,
  at: at.toISOString(),
  domain_id,
  stage,
  message,
  data,
})
