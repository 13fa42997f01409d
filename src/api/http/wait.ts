import { type StoreContext, TOPICS } from '#store/context.ts'
import { isDatabaseAway } from '#store/database.ts'
import { changesOf } from './changes.ts'

export type Wait<T> = {
  domainId: string
  /** The state to return if the database fails. */
  known: T
  look: () => Promise<T>
  done: (seen: T) => boolean
  limitMs: number
}

/**
 * Reads the domain at each of its changes until `done` accepts it, or the time is up. Returns the
 * last state read, so a slow worker or a lost database makes the answer early, not wrong.
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

/** The result of `ask`; `known` if the database fails, because the change is already committed. */
export async function askOrKnown<T>(ask: () => Promise<T>, known: T): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (!isDatabaseAway(error)) throw error
    return known
  }
}
