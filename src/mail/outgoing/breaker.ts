/** When inboxes are paused because too much of their mail comes back or is unwanted. Pure. */

/** The latest messages of an inbox: how many left, and what came of them. */
export type SendingRecord = { sent: number; bounced: number; complained: number }
export type BreakerReason = 'bounce_rate' | 'complaint_rate'

/** Fewer messages say nothing about a rate. */
export const LEAST_SENT = 100
/** One message in so many. Amazon SES reviews an account at 5 % bounces; we act before that. */
const BOUNCED_ONE_IN = 50
/**
 * The sender requirements of Google and Yahoo ask for less than 0.1 % complaints, and refuse mail from 0.3 % on.
 * https://support.google.com/a/answer/81126 and https://senders.yahooinc.com/best-practices
 */
const COMPLAINED_ONE_IN = 1000

/** Which rate is too high. */
export function excessOf({ sent, bounced, complained }: SendingRecord): BreakerReason | undefined {
  if (sent < LEAST_SENT) return undefined
  if (complained * COMPLAINED_ONE_IN >= sent) return 'complaint_rate'
  return bounced * BOUNCED_ONE_IN >= sent ? 'bounce_rate' : undefined
}

/** `message` is for people. */
export type BreakerPause = { inboxIds: readonly string[]; reason: BreakerReason; message: string }

type Inbox = SendingRecord & { id: string }

/** What to pause of one domain's active inboxes: all of them if they exceed a rate together, else each that does. */
export function pausesOf(inboxes: readonly Inbox[]): readonly BreakerPause[] {
  const total = inboxes.reduce(sum, { sent: 0, bounced: 0, complained: 0 })
  const reason = excessOf(total)
  if (reason) return [pause(inboxes, 'the inboxes of this domain', total, reason)]
  return inboxes.flatMap((inbox) => {
    const reason = excessOf(inbox)
    return reason ? [pause([inbox], 'this inbox', inbox, reason)] : []
  })
}

function pause(
  inboxes: readonly Inbox[],
  whose: string,
  { sent, bounced, complained }: SendingRecord,
  reason: BreakerReason,
): BreakerPause {
  const what =
    reason === 'bounce_rate'
      ? `${bounced} came back or were refused`
      : `${complained} drew complaints`
  const message = `Of the last ${sent} messages of ${whose}, ${what}.`
  return { inboxIds: inboxes.map(({ id }) => id), reason, message }
}

const sum = (a: SendingRecord, b: SendingRecord): SendingRecord => ({
  sent: a.sent + b.sent,
  bounced: a.bounced + b.bounced,
  complained: a.complained + b.complained,
})
