/** The attachments of a parsed message. Their names and types are a stranger's words. */
import type { Attachment, Email } from 'postal-mime'
import { cleanText } from './clean.ts'

export type NamedAttachment = {
  /** '' where it has no name. Without folders, so that it names a file where it is saved. */
  filename: string
  /** `type/subtype` without parameters. */
  contentType: string
  octets: number
  /** Whether the message shows it in its text, or beside it. */
  disposition: 'inline' | 'attachment'
  /** By which the HTML refers to it (RFC 2392), without brackets; '' where it has none. */
  contentId: string
}

/** `total` counts those beyond the limit, too. */
export type Attachments = { listed: readonly NamedAttachment[]; total: number }

export type OneAttachment = NamedAttachment & { content: Uint8Array }

/** Any more can be neither listed nor read. */
const LIMIT = 100
const FILENAME = 255
const TYPE = 127
const CONTENT_ID = 255

export const attachmentsOf = (mail: Email | undefined): Attachments => ({
  listed: (mail?.attachments ?? []).slice(0, LIMIT).map(named),
  total: mail?.attachments.length ?? 0,
})

/** `index` counts from 0, in the order of the list. */
export function attachmentAt(mail: Email | undefined, index: number): OneAttachment | undefined {
  const found = index < LIMIT ? mail?.attachments[index] : undefined
  return found && { ...named(found), content: contentOf(found) }
}

function named(attachment: Attachment): NamedAttachment {
  const { filename, mimeType, disposition, contentId = '' } = attachment
  return {
    filename: filenameOf(filename ?? ''),
    contentType: contentTypeOf(mimeType),
    octets: contentOf(attachment).byteLength,
    disposition: disposition === 'inline' ? 'inline' : 'attachment',
    contentId: cleanText(contentId, CONTENT_ID).replace(/^<|>$/g, ''),
  }
}

function contentOf({ content }: Attachment): Uint8Array {
  return typeof content === 'string' ? Buffer.from(content) : new Uint8Array(content)
}

/** RFC 6266 section 4.3: only the last segment of a path. */
function filenameOf(written: string): string {
  const last = cleanText(written, 4 * FILENAME)
    .split(/[/\\]/)
    .at(-1)!
  // Windows ignores final dots and spaces; elsewhere a first dot hides the file.
  const visible = last.replace(/^[.\s]+|[.\s]+$/g, '')
  return shortened(visible)
}

/** Keeps the extension, because it says what the file is. */
function shortened(name: string): string {
  const letters = Array.from(name)
  if (letters.length <= FILENAME) return name
  const extension = /\.[^.]{1,20}$/.exec(name)?.[0] ?? ''
  return letters.slice(0, FILENAME - extension.length).join('') + extension
}

/** RFC 6838 section 4.2: a restricted name of each part. */
const TYPE_NAME = /^[a-z0-9][\w!#$&^.+-]*\/[a-z0-9][\w!#$&^.+-]*$/

function contentTypeOf(written: string): string {
  const type = written.toLowerCase()
  return type.length <= TYPE && TYPE_NAME.test(type) ? type : 'application/octet-stream'
}
