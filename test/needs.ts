/**
 * What a test needs beside Node. Missing on a developer's machine it is a skip with its reason; where
 * CI is set, what is missing is a failure.
 */
export function missing(what: string, isThere: () => boolean): string | undefined {
  if (isThere()) return undefined
  if (process.env.CI === 'true') throw new Error(`missing: ${what}`)
  return `needs ${what}`
}
