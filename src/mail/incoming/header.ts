/**
 * Reads the header section of a received message. Each octet of a field is one latin1 character.
 */

/** RFC 5322 sets no limit. Ordinary mail has at most some 20 KiB. */
const SECTION_LIMIT = 256 * 1024
const FIELDS_LIMIT = 1000

/** `fields` lack their final CRLF. The body begins at the offset `bodyAt`. */
export type Header = { fields: readonly string[]; bodyAt: number }

/** Reads the header section; undefined if it is larger than the limits. */
export function readHeader(raw: Buffer): Header | undefined {
  if (raw.length >= 2 && raw[0] === 13 && raw[1] === 10) return { fields: [], bodyAt: 2 }
  const found = raw.subarray(0, SECTION_LIMIT + 4).indexOf('\r\n\r\n')
  if (found === -1 && raw.length > SECTION_LIMIT) return undefined
  const end = found === -1 ? raw.length : found
  const fields = raw.toString('latin1', 0, end).split(/\r\n(?![ \t])/)
  const bodyAt = Math.min(end + 4, raw.length)
  return fields.length > FIELDS_LIMIT ? undefined : { fields: fields.filter(Boolean), bodyAt }
}

/** The name of a field, in lower case; '' for a line without a field name. */
export function nameOf(field: string): string {
  return /^([!-9;-~]+)[ \t]*:/.exec(field)?.[1]?.toLowerCase() ?? ''
}

/** The value of a field, unfolded. */
export const unfolded = (field: string): string =>
  field
    .slice(field.indexOf(':') + 1)
    .replace(/\r\n(?=[ \t])/g, '')
    .trim()

/** The octets of a header section with these fields, and the empty line after it. */
export const writeHeader = (fields: readonly string[]): Buffer =>
  Buffer.from(`${fields.map((field) => `${field}\r\n`).join('')}\r\n`, 'latin1')

/** Whether a CR or an LF stands alone (RFC 5321 section 2.3.8 forbids it). */
export function hasBareLineEnd(raw: Uint8Array): boolean {
  let before = 0
  for (let at = 0; at < raw.length; at++) {
    const octet = raw[at]!
    if ((octet === 10) !== (before === 13)) return true
    before = octet
  }
  return before === 13
}
