/** Reads a stored message for its reader. Runs in a worker: a stranger wrote the message. */
import { decodedContent, type StoredContent } from '../content.ts'
import { type Attachments, attachmentAt, attachmentsOf, type OneAttachment } from './attachments.ts'
import { cleanLines } from './clean.ts'
import { nameOf, readHeader, unfolded } from './header.ts'
import { firstLines, parsed } from './parsed.ts'
import { type SafeHtml, safeHtml } from './safe-html.ts'
import { textOf } from './text.ts'

export type Reading = {
  /** The text, or that of the HTML; '' where neither can be read. */
  text: string
  /** Whether more text follows. */
  isCut: boolean
  /** Undefined for a message without HTML. */
  html: SafeHtml | undefined
  attachments: Attachments
  /** Its Message-ID in brackets, and the ids that an answer refers to (RFC 5322 section 3.6.4). */
  messageId: string
  references: readonly string[]
}

const TEXT_LIMIT = 20_000
const HTML_LIMIT = 100_000
const REFERENCES = 20
/** Of a longer message only its beginning is read. A file of 25 MB in base64 has 330,000 lines. */
const READ = { lines: 500_000, octets: 32 * 1024 * 1024 }
const FIELD_OCTETS = 16 * 1024

type Stored = Omit<StoredContent, 'octets'>

export async function read(content: Stored): Promise<Reading> {
  const octets = decodedContent(content)
  const fields = readHeader(octets)?.fields ?? []
  const idsIn = (name: string) =>
    fields
      .filter((field) => nameOf(field) === name)
      .slice(0, 1)
      .flatMap((field) => unfolded(field.slice(0, FIELD_OCTETS)).match(/<[^<>\s]{1,900}>/g) ?? [])
  const beginning = firstLines(octets, READ)
  const mail = await parsed(beginning)
  const text = cleanLines(mail ? textOf(mail, HTML_LIMIT) : '', TEXT_LIMIT + 1)
  const [messageId = ''] = idsIn('message-id')
  const earlier = idsIn('references')
  const before = earlier.length > 0 ? earlier : idsIn('in-reply-to').slice(0, 1)
  return {
    text: text.slice(0, TEXT_LIMIT),
    isCut: text.length > TEXT_LIMIT || octets.length > beginning.length,
    html: mail?.html === undefined ? undefined : safeHtml(mail.html),
    attachments: attachmentsOf(mail),
    messageId,
    // The first names the conversation, so it stays.
    references: [...before.slice(0, 1), ...before.slice(1).slice(-REFERENCES)],
  }
}

/** One attachment of a stored message; undefined where it has no such one. */
export async function readAttachment(
  content: Stored,
  index: number,
): Promise<OneAttachment | undefined> {
  return attachmentAt(await parsed(firstLines(decodedContent(content), READ)), index)
}
