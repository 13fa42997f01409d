/** Reads a stored message for its reader. Runs in a worker: a stranger wrote the message. */
import PostalMime, { type Email } from 'postal-mime'
import { decodedContent, type StoredContent } from '../content.ts'
import { cleanLines, cleanText } from './clean.ts'
import { nameOf, readHeader, unfolded } from './header.ts'
import { textOf } from './text.ts'

export type Reading = {
  /** The text, or that of the HTML; '' where neither can be read. */
  text: string
  /** Whether more text follows. */
  isCut: boolean
  attachments: readonly { filename: string; contentType: string; octets: number }[]
  /** Its Message-ID in brackets, and the ids that an answer refers to (RFC 5322 section 3.6.4). */
  messageId: string
  references: readonly string[]
}

const TEXT_LIMIT = 20_000
const HTML_LIMIT = 100_000
const ATTACHMENTS = 50
const REFERENCES = 20
/** Of a larger message only its beginning is read. */
const OCTETS_READ = 8 * 1024 * 1024
const MAX_DEPTH = 8
const FIELD_OCTETS = 16 * 1024

export async function read(content: Omit<StoredContent, 'octets'>): Promise<Reading> {
  const octets = decodedContent(content)
  const fields = readHeader(octets)?.fields ?? []
  const idsIn = (name: string) =>
    fields
      .filter((field) => nameOf(field) === name)
      .slice(0, 1)
      .flatMap((field) => unfolded(field.slice(0, FIELD_OCTETS)).match(/<[^<>\s]{1,900}>/g) ?? [])
  const mail = await parsed(octets.subarray(0, OCTETS_READ))
  const text = cleanLines(mail ? textOf(mail, HTML_LIMIT) : '', TEXT_LIMIT + 1)
  const [messageId = ''] = idsIn('message-id')
  const earlier = idsIn('references')
  const before = earlier.length > 0 ? earlier : idsIn('in-reply-to').slice(0, 1)
  return {
    text: text.slice(0, TEXT_LIMIT),
    isCut: text.length > TEXT_LIMIT || octets.length > OCTETS_READ,
    attachments: (mail?.attachments ?? []).slice(0, ATTACHMENTS).map((each) => ({
      filename: cleanText(each.filename ?? '', 255),
      contentType: cleanText(each.mimeType, 255),
      octets: typeof each.content === 'string' ? each.content.length : each.content.byteLength,
    })),
    messageId,
    // The first names the conversation, so it stays.
    references: [...before.slice(0, 1), ...before.slice(1).slice(-REFERENCES)],
  }
}

async function parsed(octets: Buffer): Promise<Email | undefined> {
  try {
    return await PostalMime.parse(octets, {
      maxNestingDepth: MAX_DEPTH,
      forceRfc822Attachments: true,
    })
  } catch {
    // The parser refuses deep nesting: then there is no text.
    return undefined
  }
}
