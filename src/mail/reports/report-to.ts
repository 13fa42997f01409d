/** The report on an undelivered message, as its inbox receives it. */
import type { StoredContent } from '../content.ts'
import { threadWith } from '../incoming/describe.ts'
import { readHeader } from '../incoming/header.ts'
import type { Copy } from '../incoming/receive.ts'
import { NOT_CHECKED } from '../incoming/results.ts'
import type { QueuedMail } from '../outgoing/mail.ts'
import { wordsOf } from '../words.ts'
import { composeDsn } from './dsn.ts'

/** Belongs to the conversation with the recipient that the message begins or answers. */
export function reportTo(
  failed: QueuedMail & { reply: string; host: string },
  reporter: string,
  at: Date,
): Copy & { content: StoredContent } {
  const { author, claim, recipient, messageId } = failed
  const sender = `${author}@${claim.name}`
  const header = readHeader(failed.content)?.fields.join('\r\n') ?? ''
  const acceptedAt = failed.createdAt
  const report = composeDsn({ ...failed, sender, header, acceptedAt, reporter, at })
  return {
    content: { encoding: 'identity', octets: report.raw.length, content: report.raw },
    claimId: failed.claim.claimId,
    localpart: author,
    recipient: sender,
    envelopeSender: '',
    author: `mailer-daemon@${reporter}`,
    correspondent: recipient.toLowerCase(),
    subject: report.subject,
    preview: report.text.replace(/\s+/g, ' ').slice(0, 200),
    threadKey: threadWith(recipient, messageId),
    kind: 'bounce',
    words: wordsOf(recipient, report.subject, report.text),
    trace: 'Return-Path: <>\r\n',
    authentication: NOT_CHECKED,
  }
}
