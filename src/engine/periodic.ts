/** Repeats work as long as the process runs. */
import { setTimeout as delay } from 'node:timers/promises'

export type Periodic = {
  everyMs: number
  /** Whether the first run begins now, not after a pause. By default true. */
  beginsAtOnce?: boolean
  /** A stop aborts the signal. An error goes to `onError`; the next run follows as planned. */
  work(signal: AbortSignal): Promise<void>
  onError(error: unknown): void
}

/**
 * Runs `work` again and again, never twice at once. Disposing aborts the current run, and waits.
 */
export function periodically({
  everyMs,
  beginsAtOnce = true,
  work,
  onError,
}: Periodic): AsyncDisposable {
  const stop = new AbortController()
  const once = async () => {
    try {
      await work(stop.signal)
    } catch (error) {
      if (!stop.signal.aborted) onError(error)
    }
  }
  const repeating = (async () => {
    if (beginsAtOnce) await once()
    for (;;) {
      await delay(everyMs, undefined, { signal: stop.signal }).catch(() => undefined)
      if (stop.signal.aborted) return
      await once()
    }
  })()
  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await repeating
    },
  }
}
