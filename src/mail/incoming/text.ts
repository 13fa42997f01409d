/** The text of a message, for people. Runs in a worker: a stranger wrote the message. */
import { convert, type HtmlToTextOptions } from 'html-to-text'
import type { Email } from 'postal-mime'

const OPTIONS: HtmlToTextOptions = {
  wordwrap: false,
  selectors: [{ selector: 'img', format: 'skip' }],
  limits: { maxDepth: 50, maxChildNodes: 5000 },
}

/**
 * That of its text part, else that of its HTML: links with their targets, and no images. Only the first `htmlLimit`
 * characters of HTML are read: deep nesting takes some ten milliseconds a kilobyte.
 */
export const textOf = ({ text, html }: Pick<Email, 'text' | 'html'>, htmlLimit: number): string =>
  text ?? (html === undefined ? '' : convert(html.slice(0, htmlLimit), OPTIONS))
