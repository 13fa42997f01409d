import type { z } from 'zod'
import type { EventRow } from '#store/events.ts'
import type { event } from './answers.ts'

/** An event as the API shows it. */
export const eventView = ({ id, type, at, domain_id, stage, message, data }: EventRow) => {
  const shown = { event_id: id, type, at: at.toISOString(), domain_id, stage, message, data }
  // Every row was written with the data that the catalogue gives its type.
  return shown as z.infer<typeof event>
}
