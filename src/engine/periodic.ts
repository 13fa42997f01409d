/** Work that is repeated as long as the process runs. */
import { setTimeout as delay } from 'node:timers/promises'

export type Periodic = {
  everyMs: number
  /** Whether the first run is at once, not after the first pause. By default true. */
  beginsAtOnce?: boolean
  /** A stop aborts the signal. Errors are reported, and the next run follows as planned. */
  work(signal: AbortSignal): Promise<void>
  onError(error: unknown): void
}

/** One run ends before the next begins. Disposing aborts the current one, and waits for it. */
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
