/** The header section of a received message: its fields as octets in latin1, and its end. */

/** RFC 5322 sets no limit. Ordinary mail has at most some 20 KiB. */
const SECTION_LIMIT = 256 * 1024
const FIELDS_LIMIT = 1000

/** `fields` are without their final CRLF. The body begins at `bodyAt`. */
export type Header = { fields: readonly string[]; bodyAt: number }

/** Reads the header section; undefined where it is over the limit. */
export function readHeader(raw: Buffer): Header | undefined {
  if (raw.length >= 2 && raw[0] === 13 && raw[1] === 10) return { fields: [], bodyAt: 2 }
  const found = raw.subarray(0, SECTION_LIMIT + 4).indexOf('\r\n\r\n')
  if (found === -1 && raw.length > SECTION_LIMIT) return undefined
  const end = found === -1 ? raw.length : found
  const fields = raw.toString('latin1', 0, end).split(/\r\n(?![ \t])/)
  const bodyAt = Math.min(end + 4, raw.length)
  return fields.length > FIELDS_LIMIT ? undefined : { fields: fields.filter(Boolean), bodyAt }
}

/** The name of a field, lower-case; '' where the line has none. */
export function nameOf(field: string): string {
  return /^([!-9;-~]+)[ \t]*:/.exec(field)?.[1]?.toLowerCase() ?? ''
}

/** The value of a field, unfolded. */
export const unfolded = (field: string): string =>
  field
    .slice(field.indexOf(':') + 1)
    .replace(/\r\n(?=[ \t])/g, '')
    .trim()

/** Octets of a header section with these fields, and the empty line behind it. */
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
