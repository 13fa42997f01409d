/** Whether others are answered while the product does something for one client. */

/** The longest answer to another client while `work` runs, in milliseconds, and the result of `work`. */
export async function longestAnswerDuring<T>(
  base: string,
  work: () => Promise<T>,
): Promise<{ result: T; longest: number }> {
  let longest = 0
  let isDone = false
  const ticking = (async () => {
    while (!isDone) {
      const began = performance.now()
      await fetch(`${base}/healthz`).then((response) => response.body?.cancel())
      longest = Math.max(longest, performance.now() - began)
    }
  })()
  const result = await work().finally(() => {
    isDone = true
  })
  // The answer that the work held up counts, too.
  await ticking
  return { result, longest }
}
