import { type StoreContext, TOPICS } from '#store/context.ts'
import { isDatabaseAway } from '#store/database.ts'
import { changesOf } from './changes.ts'

export type Wait<T> = {
  domainId: string
  /** What is known already, and answered where the database cannot be asked. */
  known: T
  look: () => Promise<T>
  done: (seen: T) => boolean
  limitMs: number
}

/**
 * Looks until `done` says so or the time is up, again at each change of the domain. Gives what was
 * seen last: a slow worker makes an answer early, never wrong, and so does a database that goes away.
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

/** After a deed is done it must be told of: what cannot be asked for just now is left as it is known. */
export async function askedOr<T>(ask: () => Promise<T>, known: T): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!isDatabaseAway(error)) throw error
    return known
  }
}
