import { statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Why a test that needs this component is skipped; undefined where it can run. A missing component is
 * a failure where CI is set. MAILSTEAD_TEST_HIDE_COMPONENTS hides all of them, so that the suite can
 * show on any machine that it passes on one with Node, npm and git only.
 */
export function missing(what: string, isThere: () => boolean): string | undefined {
  if (process.env.MAILSTEAD_TEST_HIDE_COMPONENTS === 'true') return `needs ${what}, which is hidden`
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
