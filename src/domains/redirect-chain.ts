/** Redirects that lead from one domain to the next. Pure. */

/** Browsers give up after about twenty redirects; ten are enough. */
export const REDIRECTS_IN_A_ROW = 10

/** A host in a chain of redirects, and the number of redirects before it. */
export type ChainHost = { host: string; passed: number }

/** Why a redirect of `name` may not begin a chain through these hosts; undefined where it may. */
export function chainFault(
  name: string,
  chain: readonly ChainHost[],
): 'loop' | 'too_long' | undefined {
  if (chain.some(({ host }) => host === name || host === `www.${name}`)) return 'loop'
  return chain.some(({ passed }) => passed >= REDIRECTS_IN_A_ROW) ? 'too_long' : undefined
}
