/** Batches single calls. */

export type Batching = {
  /** The most calls in one batch. */
  atOnce: number
  /** How long a call may wait. */
  withinMs: number
  /** How many batches run at once; meanwhile the next one grows. By default no limit. */
  underWay?: number
}

type BatchedCall<T, R> = { value: T; ended: PromiseWithResolvers<R> }

/** A function of one value that `all` executes in batches. `all` gives a result for each, in order. */
export function batched<T, R>(
  { atOnce, withinMs, underWay = Number.POSITIVE_INFINITY }: Batching,
  all: (values: readonly T[]) => Promise<readonly R[]>,
): (value: T) => Promise<R> {
  const waiting: BatchedCall<T, R>[] = []
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
    // Calls that came meanwhile have waited long enough.
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
 * Does all at once or, where that fails, each alone, so that one failure does not affect the others. Gives
 * a result or an error for each, in order.
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
