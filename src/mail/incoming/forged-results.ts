/** Removes received Authentication-Results fields that claim to be ours (RFC 8601 section 5). */
import { nameOf, unfolded } from './header.ts'

/** The fields without Authentication-Results that name one of `hosts`, in any spelling. */
export const withoutForgedResults = (
  fields: readonly string[],
  hosts: readonly string[],
): readonly string[] => fields.filter((field) => !claimsToBe(field, hosts))

function claimsToBe(field: string, hosts: readonly string[]): boolean {
  if (nameOf(field) !== 'authentication-results') return false
  const value = unfolded(field).toLowerCase()
  const authority = withoutComments(value)?.split(';', 1)[0]
  // A malformed value may be read in several ways: any mention of our host counts.
  const read = (authority ?? value).replace(/["\\\s]/g, '')
  return hosts.some((host) => read.includes(host))
}

/** RFC 5322 section 3.2.2: comments nest, and `\` quotes. Undefined where one is not closed. */
function withoutComments(value: string): string | undefined {
  let [depth, isQuoted, kept] = [0, false, '']
  for (let at = 0; at < value.length; at++) {
    const char = value[at]!
    if (char === '\\') {
      if (depth === 0) kept += value[at + 1] ?? ''
      at++
    } else if (depth === 0 && char === '"') isQuoted = !isQuoted
    else if (!isQuoted && char === '(') depth++
    else if (!isQuoted && char === ')' && depth > 0) depth--
    else if (depth === 0) kept += char
  }
  return depth === 0 && !isQuoted ? kept : undefined
}
