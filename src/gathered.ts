/** Single wishes, done together. */

/**
 * A function of one value that is called for many at once: for `atOnce` of them, or for those that have come
 * within `withinMs`. `all` gives a result for each, in their order.
 */
export function gathered<T, R>(
  atOnce: number,
  withinMs: number,
  all: (values: readonly T[]) => Promise<readonly R[]>,
): (value: T) => Promise<R> {
  let waiting: { value: T; ended: PromiseWithResolvers<R> }[] = []
  let timer: NodeJS.Timeout | undefined

  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    const together = waiting
    waiting = []
    try {
      const results = await all(together.map(({ value }) => value))
      for (const [index, { ended }] of together.entries()) ended.resolve(results[index]!)
    } catch (error) {
      for (const { ended } of together) ended.reject(error)
    }
  }

  return (value) => {
    const ended = Promise.withResolvers<R>()
    waiting.push({ value, ended })
    if (waiting.length >= atOnce) void flush()
    else timer ??= setTimeout(flush, withinMs)
    return ended.promise
  }
}
