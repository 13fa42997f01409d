/** Parses a message within limits. Takes long for some messages: runs in a worker. */
import PostalMime, { type Email } from 'postal-mime'

const MAX_DEPTH = 8

/** Undefined for a message that the parser refuses, because of its nesting. */
export async function parsed(octets: Buffer): Promise<Email | undefined> {
  try {
    return await PostalMime.parse(octets, {
      maxNestingDepth: MAX_DEPTH,
      forceRfc822Attachments: true,
    })
  } catch {
    return undefined
  }
}

/** The beginning of a message: the parser's cost grows with the lines, and not only with the octets. */
export function firstLines(octets: Buffer, limit: { lines: number; octets: number }): Buffer {
  let end = 0
  for (let lines = 0; lines < limit.lines && end < limit.octets; lines++) {
    const next = octets.indexOf(10, end)
    if (next === -1) return octets.subarray(0, limit.octets)
    end = next + 1
  }
  return octets.subarray(0, Math.min(end, limit.octets))
}
