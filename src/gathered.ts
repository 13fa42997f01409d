/** Single wishes, done together. */

export type Gathering = {
  /** So many wishes at most are done together. */
  atOnce: number
  /** How long one waits for others. */
  withinMs: number
  /** While so many gatherings are under way, the next one grows. No bound, unless told. */
  underWay?: number
}

type Wish<T, R> = { value: T; ended: PromiseWithResolvers<R> }

/** A function of one value that is called for many at once. `all` gives a result for each, in their order. */
export function gathered<T, R>(
  { atOnce, withinMs, underWay = Number.POSITIVE_INFINITY }: Gathering,
  all: (values: readonly T[]) => Promise<readonly R[]>,
): (value: T) => Promise<R> {
  const waiting: Wish<T, R>[] = []
  let timer: NodeJS.Timeout | undefined
  let busy = 0

  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    if (busy >= underWay) return
    const together = waiting.splice(0, atOnce)
    if (together.length === 0) return
    busy++
    try {
      const results = await all(together.map(({ value }) => value))
      for (const [index, { ended }] of together.entries()) ended.resolve(results[index]!)
    } catch (error) {
      for (const { ended } of together) ended.reject(error)
    } finally {
      busy--
    }
    // Those that came meanwhile have waited long enough.
    if (underWay !== Number.POSITIVE_INFINITY) void flush()
  }

  return (value) => {
    const ended = Promise.withResolvers<R>()
    waiting.push({ value, ended })
    if (waiting.length >= atOnce) void flush()
    else timer ??= setTimeout(flush, withinMs)
    return ended.promise
  }
}

/**
 * Does all in one go and, where that fails, each alone, so that nobody suffers from what came at the same moment.
 * Gives a result for each in their order, or the error of that one.
 */
export async function togetherOrAlone<T, R>(
  values: readonly T[],
  all: (values: readonly T[]) => Promise<readonly R[]>,
): Promise<readonly (R | Error)[]> {
  try {
    return await all(values)
  } catch (error) {
    if (values.length === 1) return [error instanceof Error ? error : new Error(String(error))]
    const results = []
    for (const value of values) results.push(...(await togetherOrAlone([value], all)))
    return results
  }
}
