/** TXT values in the presentation form of master files (RFC 1035 section 5.1), which zone hosts speak. */

// RFC 1035 section 3.3: a character-string holds 255 octets.
const STRING_OCTETS = 255

/** A value as quoted strings, each of 255 octets at most, with what is not plain ASCII as `\DDD`. */
export function quoteTxt(value: string): string {
  const octets = Buffer.from(value)
  const strings: string[] = []
  for (let from = 0; from === 0 || from < octets.length; from += STRING_OCTETS) {
    const string = [...octets.subarray(from, from + STRING_OCTETS)].map(escaped).join('')
    strings.push(`"${string}"`)
  }
  return strings.join(' ')
}

function escaped(octet: number): string {
  const character = String.fromCharCode(octet)
  if (character === '"' || character === '\\') return `\\${character}`
  return octet >= 0x20 && octet < 0x7f ? character : `\\${String(octet).padStart(3, '0')}`
}

const STRING = /"((?:[^"\\]|\\.)*)"|[^\s"]+/gs
const PART = /\\(\d{3})|\\(.)|([^\\]+)/gs

/** The value of quoted strings, joined; words without quotes count as strings too. */
export function unquoteTxt(written: string): string {
  const octets: Buffer[] = []
  for (const [whole, quoted] of written.matchAll(STRING)) {
    for (const [, code, escaped, plain] of (quoted ?? whole).matchAll(PART)) {
      octets.push(code ? Buffer.from([Number(code)]) : Buffer.from(escaped ?? plain ?? ''))
    }
  }
  return Buffer.concat(octets).toString()
}
