/** The header field that names a file to be saved. */

/** RFC 8187 section 3.2.1: the octets of UTF-8 that are written as they are. */
const PLAIN = /[A-Za-z0-9!#$&+.^_`|~-]/

/** RFC 6266: a name in ASCII for old clients, and the whole one for all others. */
export function contentDisposition(filename: string): string {
  // Old clients take `%` for an escape (RFC 6266 appendix D).
  const ascii = filename.replace(/[^\x20-\x7e]|["\\%]/gu, '_')
  const encoded = Array.from(Buffer.from(filename), (octet) => {
    const letter = String.fromCharCode(octet)
    return PLAIN.test(letter) ? letter : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`
  })
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded.join('')}`
}
