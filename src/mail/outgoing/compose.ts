/** Makes a message (RFC 5322). Finished content of other origin may be sent too. */
import { randomUUID } from 'node:crypto'
import MailComposer from 'nodemailer/lib/mail-composer'
import { newId } from '../../ids.ts'
import { bufferOf } from '../content.ts'
import type { Origin, OutgoingMail } from './mail.ts'
import { unsubscribeHeaders } from './unsubscribe.ts'

/** `contentType` is `type/subtype`. */
export type AttachedFile = { filename: string; contentType: string; content: Uint8Array }

export type PlainMessage = {
  origin: Origin
  inboxId?: string | undefined
  author: { localpart: string; displayName: string }
  recipient: string
  subject: string
  text: string
  /** The same as HTML. */
  html?: string | undefined
  files?: readonly AttachedFile[]
  headers?: Readonly<Record<string, string>>
  /** The link by which the recipient unsubscribes, by the id of the message. */
  unsubscribeUrl?: ((id: string) => string) | undefined
  /** The message that it answers, and those before it (RFC 5322 section 3.6.4). */
  inReplyTo?: string
  references?: readonly string[]
}

/** A message of an author at `domain`, with its own Message-ID there. */
export async function compose(message: PlainMessage, domain: string): Promise<OutgoingMail> {
  const { origin, inboxId, author, recipient, subject, text, headers = {} } = message
  const { inReplyTo, references, html, files = [], unsubscribeUrl } = message
  const id = newId()
  const messageId = `<${randomUUID()}@${domain}>`
  const content = await new MailComposer({
    from: { name: author.displayName, address: `${author.localpart}@${domain}` },
    to: recipient,
    subject,
    text,
    ...(html === undefined ? {} : { html }),
    attachments: files.map(({ filename, contentType, content }) => ({
      filename,
      contentType,
      content: bufferOf(content),
    })),
    headers: { ...headers, ...(unsubscribeUrl && unsubscribeHeaders(unsubscribeUrl(id))) },
    messageId,
    ...(inReplyTo === undefined ? {} : { inReplyTo }),
    ...(references === undefined ? {} : { references: [...references] }),
    newline: '\r\n',
    disableFileAccess: true,
    disableUrlAccess: true,
  })
    .compile()
    .build()
  return { id, origin, inboxId, author: author.localpart, recipient, messageId, content }
}
