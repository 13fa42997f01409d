/** Composes the notification to a sender that a message was not delivered (RFC 3464). */
import { randomUUID } from 'node:crypto'

export type Failure = {
  /** The host that reports. */
  reporter: string
  /** The envelope sender of the message: the report is addressed to it. */
  sender: string
  recipient: string
  messageId: string
  /** The header section of the message, without the empty line. */
  header: string
  /** The last reply and the host that gave it; '' where none was reached. */
  reply: string
  host: string
  acceptedAt: Date
  at: Date
}

export type Report = { subject: string; text: string; raw: Buffer }

const HEADER_LIMIT = 16 * 1024

/** A multipart/report of three parts: for people, for programs, and the header section of the message. */
export function composeDsn(failure: Failure): Report {
  const { reporter, sender, recipient, header, at } = failure
  const boundary = `report-${randomUUID()}`
  const subject = `Not delivered: your message to ${recipient}`
  const text = textOf(failure)
  const part = (type: string, content: string) => [
    `--${boundary}`,
    `Content-Type: ${type}`,
    '',
    content,
  ]
  const lines = [
    `From: Mail delivery <mailer-daemon@${reporter}>`,
    `To: ${sender}`,
    `Subject: ${subject}`,
    `Date: ${dateOf(at)}`,
    `Message-ID: <${randomUUID()}@${reporter}>`,
    `In-Reply-To: ${failure.messageId}`,
    `References: ${failure.messageId}`,
    // RFC 3834 section 5: no automatic reply to this.
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status; boundary="${boundary}"`,
    '',
    ...part('text/plain; charset=utf-8', text),
    ...part('message/delivery-status', statusOf(failure)),
    ...part('text/rfc822-headers', header.slice(0, HEADER_LIMIT)),
    `--${boundary}--`,
    '',
  ]
  return { subject, text, raw: Buffer.from(lines.join('\r\n')) }
}

function textOf({ recipient, host, reply, acceptedAt }: Failure): string {
  const where = host === '' ? 'No host was reached.' : `The host ${host} said:`
  return [
    `Your message to ${recipient} of ${dateOf(acceptedAt)} was not delivered.`,
    'It will not be tried again.',
    '',
    where,
    oneLine(reply),
    '',
  ].join('\r\n')
}

/** RFC 3464 section 2.3: the fields of one recipient. */
function statusOf({ reporter, recipient, reply, host, acceptedAt, at }: Failure): string {
  const name = host.split(' ')[0] ?? ''
  return [
    `Reporting-MTA: dns; ${reporter}`,
    `Arrival-Date: ${dateOf(acceptedAt)}`,
    '',
    `Final-Recipient: rfc822; ${recipient}`,
    'Action: failed',
    `Status: ${statusCode(reply)}`,
    ...(name === ''
      ? []
      : [`Remote-MTA: dns; ${name}`, `Diagnostic-Code: smtp; ${oneLine(reply)}`]),
    `Last-Attempt-Date: ${dateOf(at)}`,
    '',
  ].join('\r\n')
}

/** RFC 3463: the enhanced status of the reply; a general one where it has none, or at giving up. */
function statusCode(reply: string): string {
  const found = /\b([245])\.(\d{1,3})\.(\d{1,3})\b/.exec(reply)
  return found ? `5.${found[2]}.${found[3]}` : '5.0.0'
}

const oneLine = (text: string): string =>
  text
    .replace(/[\r\n]+/g, ' ')
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 500)
const dateOf = (at: Date): string => at.toUTCString().replace('GMT', '+0000')
