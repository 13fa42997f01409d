/** Event Grid: posts the outcome of each message to subscribed webhooks. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

export const DELIVERY_STATUSES = [
  'Delivered',
  'Bounced',
  'Failed',
  'FilteredSpam',
  'Quarantined',
  'Suppressed',
] as const
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

export type DeliveryReport = {
  topic: string
  sender: string
  recipient: string
  operationId: string
  messageId: string
  status: DeliveryStatus
  statusMessage: string
}

export type EventGrid = {
  /** Throws when the endpoint does not answer the validation code with itself. */
  subscribe(url: string): Promise<void>
  /** Posts to every subscriber, `times` over with the same id; throws when one refuses it. */
  report(report: DeliveryReport, times?: number): Promise<void>
}

type Envelope = {
  id: string
  topic: string
  subject: string
  data: object
  eventType: string
  eventTime: string
  dataVersion: string
  metadataVersion: string
}

const LIMIT_MS = 10_000
const TRIES = 3
const PAUSE_MS = 100

export function newEventGrid(topic: () => string, now: () => number): EventGrid {
  const subscribers = new Set<string>()
  let reports = 0
  return {
    async subscribe(url) {
      await validate(url, topic(), now())
      subscribers.add(url)
    },
    async report(report, times = 1) {
      reports += 1
      // The documentation and the SDK differ in one letter; this alternates between them.
      const dateName = reports % 2 === 1 ? 'deliveryAttemptTimeStamp' : 'deliveryAttemptTimestamp'
      const envelope = reportEnvelope(report, dateName, now())
      for (const url of subscribers) {
        for (let time = 0; time < times; time++) await postInsistently(url, envelope)
      }
    },
  }
}

async function validate(url: string, topic: string, now: number): Promise<void> {
  const validationCode = randomUUID()
  const envelope = newEnvelope('Microsoft.EventGrid.SubscriptionValidationEvent', now, {
    topic,
    subject: '',
    data: { validationCode },
  })
  const response = await post(url, envelope, 'SubscriptionValidation')
  const answer: unknown = await response.json().catch(() => undefined)
  const echoed = (answer as { validationResponse?: unknown } | undefined)?.validationResponse
  if (!response.ok || echoed !== validationCode) {
    throw new Error(`the webhook did not validate: it answered ${response.status}`)
  }
}

function reportEnvelope(report: DeliveryReport, dateName: string, now: number): Envelope {
  const { topic, sender, recipient, operationId, messageId, status, statusMessage } = report
  return newEnvelope('Microsoft.Communication.EmailDeliveryReportReceived', now, {
    topic,
    subject: `sender/${sender}/message/${operationId}`,
    data: {
      sender,
      recipient,
      messageId: operationId,
      internetMessageId: messageId,
      status,
      deliveryStatusDetails: { statusMessage },
      [dateName]: new Date(now).toISOString(),
    },
  })
}

const newEnvelope = (
  eventType: string,
  now: number,
  about: Pick<Envelope, 'topic' | 'subject' | 'data'>,
): Envelope => ({
  id: randomUUID(),
  ...about,
  eventType,
  dataVersion: '1.0',
  metadataVersion: '1',
  eventTime: new Date(now).toISOString(),
})

/** At least once: posts again, with the same id, when the answer was lost or no success. */
async function postInsistently(url: string, envelope: Envelope): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const problem = await post(url, envelope, 'Notification').then(problemWith, String)
    if (problem === undefined) return
    if (attempt === TRIES) throw new Error(`the webhook did not take the event: ${problem}`)
    await delay(PAUSE_MS)
  }
}

async function problemWith(response: Response): Promise<string | undefined> {
  await response.body?.cancel()
  return response.ok ? undefined : `it answered ${response.status}`
}

const post = (url: string, envelope: Envelope, kind: string): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'aeg-event-type': kind },
    body: JSON.stringify([envelope]),
    signal: AbortSignal.timeout(LIMIT_MS),
  })
