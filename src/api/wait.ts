import { type StoreContext, TOPICS } from '#store/context.ts'

/**
 * Looks until `done` says so or the time is up, again at each change of the domain. Gives what was
 * seen last: a slow worker makes an answer early, never wrong.
 */
export async function waitForDomain<T>(
  { doorbell }: StoreContext,
  domainId: string,
  look: () => Promise<T>,
  done: (seen: T) => boolean,
  limitMs: number,
): Promise<T> {
  const until = performance.now() + limitMs
  let changed = Promise.withResolvers<void>()
  using _bell = doorbell.on(TOPICS.domain(domainId), () => changed.resolve())
  let seen = await look()
  while (!done(seen) && performance.now() < until) {
    await Promise.race([changed.promise, timeout(until - performance.now())])
    changed = Promise.withResolvers<void>()
    seen = await look()
  }
  return seen
}

/** Also looks once a second, in case a ring was lost. */
function timeout(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, Math.min(ms, 1000)).unref()
  })
}
