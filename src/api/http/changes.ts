/** Waits for the changes of one doorbell topic. */
import type { StoreContext } from '#store/context.ts'

/** In case a ring was lost. */
const LOOK_MS = 1000

export type Changes = Disposable & {
  /** Resolves at the next change, or one since the last call; after `mostMs`, or a second; on abort. */
  next(mostMs: number, signal?: AbortSignal): Promise<void>
}

export function changesOf({ doorbell }: StoreContext, topic: string): Changes {
  let isRung = false
  let wake = () => {}
  const bell = doorbell.on(topic, () => {
    isRung = true
    wake()
  })
  return {
    async next(mostMs, signal) {
      if (!isRung && !signal?.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        const timer = setTimeout(resolve, Math.min(mostMs, LOOK_MS)).unref()
        const abort = () => resolve()
        signal?.addEventListener('abort', abort)
        await promise
        clearTimeout(timer)
        signal?.removeEventListener('abort', abort)
      }
      isRung = false
    },
    [Symbol.dispose]: () => bell[Symbol.dispose](),
  }
}
