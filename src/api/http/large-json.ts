/** Tells a large JSON text of a few long strings from one that would take long to parse. */

const OUTSIDE_STRINGS = 64 * 1024
const QUOTES = 200_000

/**
 * Whether nearly all of `json` is inside strings. The parser copies a long string at once, but takes half a second
 * for 20 MiB of small values.
 */
export function isMostlyText(json: string): boolean {
  let outside = 0
  let at = 0
  for (let quotes = 0; quotes < QUOTES; quotes++) {
    const opens = json.indexOf('"', at)
    outside += (opens === -1 ? json.length : opens) - at
    if (outside > OUTSIDE_STRINGS) return false
    if (opens === -1) return true
    at = opens + 1
    for (; quotes < QUOTES; quotes++) {
      const closes = json.indexOf('"', at)
      // The parser refuses it.
      if (closes === -1) return true
      at = closes + 1
      if (!isEscaped(json, closes)) break
    }
  }
  return false
}

/** An odd number of backslashes stands before it (RFC 8259 section 7). */
function isEscaped(json: string, quote: number): boolean {
  let before = quote
  while (json[before - 1] === '\\') before--
  return (quote - before) % 2 === 1
}
