import { type StoreContext, TOPICS } from '#store/context.ts'
import { isDatabaseAway } from '#store/database.ts'
import { changesOf } from './changes.ts'

export type Wait<T> = {
  domainId: string
  /** The state known already, answered if the database fails. */
  known: T
  look: () => Promise<T>
  done: (seen: T) => boolean
  limitMs: number
}

/**
 * Looks until `done` or the time limit, again at each change of the domain. Returns the last state seen: a
 * slow worker or a lost database makes an answer early, never wrong.
 */
export async function waitForDomain<T>(
  store: StoreContext,
  { domainId, known, look, done, limitMs }: Wait<T>,
): Promise<T> {
  const until = performance.now() + limitMs
  using changes = changesOf(store, TOPICS.domain(domainId))
  let seen = known
  try {
    seen = await look()
    while (!done(seen) && performance.now() < until) {
      await changes.next(until - performance.now())
      seen = await look()
    }
  } catch (error) {
    if (!isDatabaseAway(error)) throw error
  }
  return seen
}

/** After a change is made, it is answered with `known` if the database fails. */
export async function askOrKnown<T>(ask: () => Promise<T>, known: T): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!isDatabaseAway(error)) throw error
    return known
  }
}
