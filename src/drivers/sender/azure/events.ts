/**
 * Delivery events, which Azure's Event Grid posts: at least once, in any order, and unsigned, so that a
 * secret in the URL must authenticate them.
 */
import { z } from 'zod'
import type { DeliveryReport, SenderEvents } from '../contract.ts'

const VALIDATION = 'Microsoft.EventGrid.SubscriptionValidationEvent'
const DELIVERY = 'Microsoft.Communication.EmailDeliveryReportReceived'

const batch = z.array(z.unknown()).max(5000)
const event = z.object({
  id: z.string().min(1).max(200),
  eventType: z.string(),
  eventTime: z.string(),
  data: z.record(z.string(), z.unknown()),
})

type Event = z.infer<typeof event>

const validation = z.object({ validationCode: z.string().min(1).max(200) })
const delivery = z.object({
  messageId: z.string().min(1).max(200),
  recipient: z.string().min(3).max(320),
  status: z.string(),
  deliveryStatusDetails: z.object({ statusMessage: z.string().nullish() }).nullish(),
  // The documentation and the SDK differ in one letter.
  deliveryAttemptTimeStamp: z.string().optional(),
  deliveryAttemptTimestamp: z.string().optional(),
})

// biome-ignore format: a table
const STATES: Record<string, DeliveryReport['state']> = {
  Delivered: 'delivered', Expanded: 'delivered',
  Bounced: 'bounced', Failed: 'failed', FilteredSpam: 'filtered', Quarantined: 'quarantined',
  Suppressed: 'suppressed',
}

export function azureEvents(secret: string): SenderEvents {
  return {
    secret,
    read(body) {
      const posted = batch.safeParse(body)
      if (!posted.success) return undefined
      // Event Grid repeats a refused post whole: one malformed event must not block the others.
      const events = posted.data.flatMap((each) => event.safeParse(each).data ?? [])
      if (events.length === 0 && posted.data.length > 0) return undefined
      const asked = events.find(({ eventType }) => eventType === VALIDATION)
      if (asked) {
        const { data } = validation.safeParse(asked.data)
        return { answer: data ? { validationResponse: data.validationCode } : {}, reports: [] }
      }
      return { answer: {}, reports: events.flatMap((each) => reportIn(each) ?? []) }
    },
  }
}

/** Undefined for an event of another kind or with an unknown state: both are ignored. */
function reportIn({ id, eventType, eventTime, ...event }: Event): DeliveryReport | undefined {
  const { data } = delivery.safeParse(event.data)
  const state = data && STATES[data.status]
  if (eventType !== DELIVERY || !data || !state) return undefined
  const written = data.deliveryAttemptTimeStamp ?? data.deliveryAttemptTimestamp ?? eventTime
  const at = new Date(written)
  if (Number.isNaN(at.getTime())) return undefined
  const detail = (data.deliveryStatusDetails?.statusMessage ?? '').slice(0, 500)
  const { messageId: operationId, recipient } = data
  return { eventId: id, operationId, recipient: recipient.toLowerCase(), state, detail, at }
}
