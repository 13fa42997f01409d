/** Work that is repeated as long as the process runs. */
import { setTimeout as delay } from 'node:timers/promises'

export type Periodic = {
  everyMs: number
  /** Whether the first time is at once, rather than after the first pause. True, unless told. */
  beginsAtOnce?: boolean
  /** Its signal is aborted by a stop. What it throws is reported, and it is done again in time. */
  work(signal: AbortSignal): Promise<void>
  onError(error: unknown): void
}

/** One time ends before the next begins. Disposing it aborts what is under way, and waits for it. */
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
