/**
 * TXT values as text: the joined strings without quotes if that loses nothing, else the quoted
 * character-strings (RFC 1035 section 3.3.14). Each value has exactly one text.
 */
import { STRING_OCTETS } from './fields.ts'
import { octetsOfText, quoted, wordsOf } from './text.ts'

/** The rdata of a text. Throws a RangeError, with a sentence, if a quoted string has no end. */
export function txtToWire(value: string): Buffer {
  if (!value.startsWith('"')) return wireOf(chunks(Buffer.from(value)))
  return wireOf(wordsOf(value).flatMap(({ text }) => chunks(octetsOfText(text))))
}

/** The text of rdata. Throws a RangeError if the lengths of its strings are wrong. */
export function txtFromWire(rdata: Buffer): string {
  const strings = stringsIn(rdata)
  const octets = Buffer.concat(strings)
  const isWhole = isOneText(octets) || wireOf(chunks(octets)).equals(rdata)
  if (isWhole && isPlain(octets)) return octets.toString()
  return (isOneText(octets) ? chunks(octets) : strings).map(quoted).join(' ')
}

/** The text as quoted strings, for master files and zone hosts. */
export const quotedTxt = (value: string): string =>
  stringsIn(txtToWire(value)).map(quoted).join(' ')

/** The joined strings of a text, as receivers join the strings of a policy or a DKIM key. */
export const joinedTxt = (value: string): string =>
  value.startsWith('"') ? Buffer.concat(stringsIn(txtToWire(value))).toString() : value

/**
 * RFC 7208 section 3.3, RFC 6376 section 3.6.2.2, RFC 8461 section 3.1: receivers join the strings
 * of a value that begins with `v=`. Elsewhere, as in RFC 6763 section 6.1, each string is separate.
 */
const isOneText = (octets: Buffer): boolean =>
  octets.subarray(0, 2).toString().toLowerCase() === 'v='

/** Whether the octets are printable UTF-8 text that does not begin with a quotation mark. */
function isPlain(octets: Buffer): boolean {
  const text = octets.toString()
  return !/^"|\p{Cc}/u.test(text) && Buffer.from(text).equals(octets)
}

/** RFC 1035 section 3.3: a character-string holds 255 octets; section 3.3.14: there is at least one. */
function chunks(octets: Buffer): Buffer[] {
  const count = Math.max(1, Math.ceil(octets.length / STRING_OCTETS))
  return Array.from({ length: count }, (_, i) =>
    octets.subarray(i * STRING_OCTETS, (i + 1) * STRING_OCTETS),
  )
}

const wireOf = (strings: readonly Buffer[]): Buffer =>
  Buffer.concat(strings.flatMap((string) => [Buffer.of(string.length), string]))

function stringsIn(rdata: Buffer): Buffer[] {
  const strings: Buffer[] = []
  for (let at = 0; at < rdata.length; at += 1 + rdata[at]!) {
    const string = rdata.subarray(at + 1, at + 1 + rdata[at]!)
    if (string.length < rdata[at]!) throw new RangeError('a character-string ends too early')
    strings.push(string)
  }
  if (strings.length === 0) throw new RangeError('there is no character-string')
  return strings
}
