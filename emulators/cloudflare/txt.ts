/** TXT content as this API writes it: one or more character-strings in quotation marks. */

/** `content` as it is kept, `text` what all its strings say together. */
export type Txt = { content: string; text: string }

/** An escaped octet beyond ASCII cannot be kept: our zones hold text. */
const QUOTED = /^(?:"(?:[^"\\]|\\(?:0\d\d|1[01]\d|12[0-7]|\D))*"\s*)+$/s
const EACH_STRING = /"((?:[^"\\]|\\.)*)"/gs
const MAX_STRING_OCTETS = 255

/**
 * Undefined where the quotation marks do not match. Content without any is taken as it is, and kept
 * so: that is what people report of the real API, though its reference asks for quotation marks.
 */
export function readTxt(written: string): Txt | undefined {
  const content = written.trim()
  if (content === '') return undefined
  if (!content.includes('"')) return { content, text: content }
  if (!QUOTED.test(content)) return undefined
  const strings = [...content.matchAll(EACH_STRING)].map(([, inner]) => unescaped(inner!))
  const isLong = strings.some((string) => Buffer.byteLength(string) > MAX_STRING_OCTETS)
  const kept = isLong ? strings.flatMap(chunked).map(quoted).join(' ') : content
  return { content: kept, text: strings.join('') }
}

/** RFC 1035 section 5.1: three digits stand for an octet, any other character for itself. */
const unescaped = (inner: string): string =>
  inner.replace(/\\(\d{3}|.)/gs, (_, escaped: string) =>
    escaped.length === 3 ? String.fromCharCode(Number(escaped)) : escaped,
  )

/** RFC 1035 section 3.3: a character-string holds 255 octets. No character is cut in two. */
function chunked(string: string): string[] {
  const chunks = ['']
  let octets = 0
  for (const character of string) {
    octets += Buffer.byteLength(character)
    if (octets > MAX_STRING_OCTETS) {
      chunks.push('')
      octets = Buffer.byteLength(character)
    }
    chunks.push(chunks.pop()! + character)
  }
  return chunks
}

const quoted = (string: string): string => `"${string.replace(/["\\]/g, '\\$&')}"`
