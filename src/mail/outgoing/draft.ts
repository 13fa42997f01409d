/** Composes what a customer wrote: text or HTML, with files. Takes long for large ones: runs in a worker. */
import { textOf } from '../incoming/text.ts'
import { type AttachedFile, compose, type PlainMessage } from './compose.ts'
import type { OutgoingMail } from './mail.ts'

/** Has a text, or HTML, or both. The content of a file is in base64. */
export type Draft = Omit<PlainMessage, 'text' | 'files'> & {
  text: string | undefined
  /** Stands below the text, and below the HTML; '' for none. */
  signature: string
  files: readonly (Omit<AttachedFile, 'content'> & { content: string })[]
}

/** `text` is what the message says as plain text. */
export type Composed = { is: 'composed'; mail: OutgoingMail; text: string }
/** The first file whose content is no base64. */
export type NotBase64 = { is: 'not base64'; index: number }

const HTML_LIMIT = 100_000

export async function composeDraft(
  { text: written, html: writtenHtml, signature, files: encoded, ...draft }: Draft,
  domain: string,
): Promise<Composed | NotBase64> {
  const files = encoded.map((file) => ({ ...file, content: Buffer.from(file.content, 'base64') }))
  // The decoder leaves out what it does not know.
  const isExact = ({ content }: AttachedFile, index: number) =>
    Buffer.from(content).toString('base64') === encoded[index]!.content
  const index = files.findIndex((file, at) => !isExact(file, at))
  if (index !== -1) return { is: 'not base64', index }
  // RFC 2046 section 5.1.4: the plain form of the same, for programs that show no HTML.
  const text = written ?? textOf({ html: writtenHtml }, HTML_LIMIT)
  const html = writtenHtml && signature ? writtenHtml + inHtml(signature) : writtenHtml
  const signed = signature ? `${text.trimEnd()}\n\n${SEPARATOR}\n${signature}\n` : text
  const mail = await compose({ ...draft, text: signed, html, files }, domain)
  return { is: 'composed', mail, text }
}

/** RFC 3676 section 4.3: mail programs recognise a signature by this line. */
const SEPARATOR = '-- '

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

function inHtml(signature: string): string {
  const escaped = signature.replace(/[&<>]/g, (character) => ENTITIES[character]!)
  return `\n<p>${SEPARATOR}<br>${escaped.replaceAll('\n', '<br>\n')}</p>\n`
}
