/** A plain message as octets, unsigned (RFC 5322). */
import { randomUUID } from 'node:crypto'
import MailComposer from 'nodemailer/lib/mail-composer'

export type PlainMessage = {
  /** `name` may be empty. */
  author: { name: string; address: string }
  recipient: string
  subject: string
  text: string
  headers: Readonly<Record<string, string>>
}

/** `messageId` in brackets, at `domain`. */
export async function compose(
  { author, recipient, subject, text, headers }: PlainMessage,
  domain: string,
): Promise<{ raw: Buffer; messageId: string }> {
  const messageId = `<${randomUUID()}@${domain}>`
  const raw = await new MailComposer({
    from: author,
    to: recipient,
    subject,
    text,
    headers: { ...headers },
    messageId,
    newline: '\r\n',
    disableFileAccess: true,
    disableUrlAccess: true,
  })
    .compile()
    .build()
  return { raw, messageId }
}
