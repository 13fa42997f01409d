/** Work under one key waits until all earlier work under that key is done. */
export type Turns = <T>(key: string, work: () => Promise<T>) => Promise<T>

export function takeTurns(): Turns {
  const lastOf = new Map<string, Promise<unknown>>()
  return (key, work) => {
    const mine = (lastOf.get(key) ?? Promise.resolve()).then(work)
    const settled = mine.then(
      () => undefined,
      () => undefined,
    )
    lastOf.set(key, settled)
    void settled.then(() => lastOf.get(key) === settled && lastOf.delete(key))
    return mine
  }
}

/** Waits for a promise, or until the signal aborts; the work itself goes on for other waiters. */
export async function orAborted<T>(awaited: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([aborted, awaited])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
