/** Redirects that lead from one domain to the next. Pure. */

/** A browser gives up after some twenty; nobody needs more than this. */
export const REDIRECTS_IN_A_ROW = 10

/** A host that visitors come through, and how many redirects they have followed before. */
export type ChainHost = { host: string; passed: number }

/** Why a redirect of `name` may not begin a chain through these hosts; undefined where it may. */
export function chainFault(
  name: string,
  chain: readonly ChainHost[],
): 'loop' | 'too_long' | undefined {
  if (chain.some(({ host }) => host === name || host === `www.${name}`)) return 'loop'
  return chain.some(({ passed }) => passed >= REDIRECTS_IN_A_ROW) ? 'too_long' : undefined
}
