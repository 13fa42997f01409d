/** Cleans untrusted text for storage and display: limits it, and removes deceptive characters. */

/**
 * C0 and C1 controls, and invisible characters that reorder, join or hide text (Unicode TR 36 section
 * 2.10).
 */
const UNFIT = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff]/gu

/** Text of at most `limit` characters, with its lines. */
export function cleanLines(text: string, limit: number): string {
  const some = text.slice(0, 4 * limit).toWellFormed()
  const lines = some.replace(/\r\n?/g, '\n').split('\n')
  const clean = lines.map((line) => line.replace(/\t/g, ' ').replace(UNFIT, ''))
  return Array.from(clean.join('\n').trimEnd()).slice(0, limit).join('')
}

/** One line of at most `limit` characters. */
export function cleanText(text: string, limit: number): string {
  // More than `limit`, because the next line removes characters.
  const some = text.slice(0, 4 * limit).toWellFormed()
  const line = some.replace(/\s+/g, ' ').replace(UNFIT, '').trim()
  return Array.from(line).slice(0, limit).join('')
}
