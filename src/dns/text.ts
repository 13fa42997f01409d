/**
 * Text in master files: words, quoted character-strings, and escapes (RFC 1035 section 5.1). The input is
 * one line, without comments and parentheses.
 */

/** A word or a quoted character-string, its escapes as they were written. */
export type Word = { text: string; isQuoted: boolean }

/** A quoted string, or a word that may end in one, as `alpn="h2,h3"` does (RFC 9460 section 2.1). */
const WORD = /[ \t]*(?:"((?:[^"\\]|\\.)*)"|((?:[^\s"\\]|\\.)+(?:"(?:[^"\\]|\\.)*")?))/suy

/** The words of one line. Throws a RangeError with a sentence if it is malformed. */
export function wordsOf(line: string): Word[] {
  const control = /[\0-\x08\x0a-\x1f\x7f]/.exec(line)
  if (control) throw new RangeError(`it has ${nameOfControl(control[0])} in it`)
  const words: Word[] = []
  const text = line.replace(/[ \t]+$/, '')
  for (WORD.lastIndex = 0; WORD.lastIndex < text.length; ) {
    const found = WORD.exec(text)
    if (found === null) throw new RangeError('a quotation mark or an escape is not ended')
    const [, quoted, plain] = found
    words.push({ text: quoted ?? plain!, isQuoted: quoted !== undefined })
  }
  return words
}

const nameOfControl = (octet: string): string =>
  octet === '\n' || octet === '\r' ? 'a line break' : 'a control character'

const PART = /\\(\d{3}|\D)|[^\\]+|\\/gsu

/** The octets of a word: `\DDD` is that octet, any other escaped character itself, the rest UTF-8. */
export function octetsOfText(text: string): Buffer {
  if (!text.includes('\\')) return Buffer.from(text)
  const parts = Array.from(text.matchAll(PART), ([part, escaped]) => {
    if (escaped !== undefined) return octetsOfEscape(escaped)
    if (part === '\\') throw new RangeError(`"${text}" has an escape that is not whole`)
    return Buffer.from(part)
  })
  return Buffer.concat(parts)
}

function octetsOfEscape(escaped: string): Buffer {
  if (!/^\d/.test(escaped)) return Buffer.from(escaped)
  if (Number(escaped) > 255) throw new RangeError(`\\${escaped} is no octet: the highest is \\255`)
  return Buffer.of(Number(escaped))
}

/** One octet as text; escapes those in `special`, and all but printable ASCII. */
export function textOfOctet(octet: number, special: string): string {
  if (octet < 0x20 || octet > 0x7e) return decimal(octet)
  const character = String.fromCharCode(octet)
  if (!special.includes(character)) return character
  return character === ' ' ? decimal(octet) : `\\${character}`
}

const decimal = (octet: number): string => `\\${String(octet).padStart(3, '0')}`

/** A character-string, in quotes where it needs them. */
export const quotedIfOdd = (octets: Buffer): string =>
  /^[!#-'*-:<-[\]-~]+$/.test(octets.toString('latin1')) ? octets.toString('latin1') : quoted(octets)

/** A character-string in quotes. */
export const quoted = (octets: Buffer): string =>
  `"${Array.from(octets, (octet) => textOfOctet(octet, '"\\')).join('')}"`
