/** Makes a plain message (RFC 5322). Finished content of other origin may be sent too. */
import { randomUUID } from 'node:crypto'
import MailComposer from 'nodemailer/lib/mail-composer'
import { newId } from '../../ids.ts'
import type { Origin, OutgoingMail } from './mail.ts'

export type PlainMessage = {
  origin: Origin
  inboxId?: string | undefined
  author: { localpart: string; displayName: string }
  recipient: string
  subject: string
  text: string
  headers?: Readonly<Record<string, string>>
}

/** A message of an author at `domain`, with its own Message-ID there. */
export async function compose(message: PlainMessage, domain: string): Promise<OutgoingMail> {
  const { origin, inboxId, author, recipient, subject, text, headers = {} } = message
  const messageId = `<${randomUUID()}@${domain}>`
  const content = await new MailComposer({
    from: { name: author.displayName, address: `${author.localpart}@${domain}` },
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
  return { id: newId(), origin, inboxId, author: author.localpart, recipient, messageId, content }
}
