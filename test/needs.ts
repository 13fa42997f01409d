import { statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * What a test needs beside Node. Missing on a developer's machine it is a skip with its reason; where
 * CI is set, what is missing is a failure.
 */
export function missing(what: string, isThere: () => boolean): string | undefined {
  if (isThere()) return undefined
  if (process.env.CI === 'true') throw new Error(`missing: ${what}`)
  return `needs ${what}`
}

const OTHERS_MAY_ENTER = 0o001

/** Why another user than root cannot run what is checked out here; undefined when they can. */
export function closedToOthers(directory: string = process.cwd()): string | undefined {
  if ((statSync(directory).mode & OTHERS_MAY_ENTER) === 0)
    return `runs as another user, who may not enter ${directory}`
  return directory === '/' ? undefined : closedToOthers(dirname(directory))
}
