/** TXT content as this API writes it: one or more character-strings in quotation marks. */
import { octetsOfText, quoted } from '#dns/text.ts'

/** `content` as stored; `octets` of all its strings joined. */
export type Txt = { content: string; octets: Buffer }

const QUOTED = /^(?:"(?:[^"\\]|\\(?:[01]\d\d|2[0-4]\d|25[0-5]|\D))*"\s*)+$/s
const EACH_STRING = /"((?:[^"\\]|\\.)*)"/gs
const MAX_STRING_OCTETS = 255

/**
 * Undefined where the quotation marks do not match. Content without any is accepted and stored
 * unchanged: people report this of the real API, though its reference asks for quotation marks.
 */
export function readTxt(written: string): Txt | undefined {
  const content = written.trim()
  if (content === '') return undefined
  if (!content.includes('"')) return { content, octets: Buffer.from(content) }
  if (!QUOTED.test(content)) return undefined
  const strings = [...content.matchAll(EACH_STRING)].map(([, inner]) => octetsOfText(inner!))
  const isLong = strings.some(({ length }) => length > MAX_STRING_OCTETS)
  const kept = isLong ? strings.flatMap(chunked).map(quoted).join(' ') : content
  return { content: kept, octets: Buffer.concat(strings) }
}

/** RFC 1035 section 3.3: a character-string holds 255 octets. */
function chunked(string: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < string.length; at += MAX_STRING_OCTETS) {
    chunks.push(string.subarray(at, at + MAX_STRING_OCTETS))
  }
  return chunks
}
