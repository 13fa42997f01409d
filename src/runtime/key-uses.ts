/** Records when API keys were last used, after the answer. */
import { recordApiKeyUse } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'

const RECORD_EVERY_MS = 60_000
const KEYS_REMEMBERED = 10_000

export type KeyUses = AsyncDisposable & { record(keyId: string): void }

/** Records a key's last use, at most once a minute for each; no request waits for it. */
export function recordKeyUses(store: StoreContext, onError: (error: unknown) => void): KeyUses {
  const recordedAt = new Map<string, number>()
  const writing = new Set<Promise<void>>()

  function write(keyId: string): void {
    const written = recordApiKeyUse(store, keyId)
      .catch(onError)
      .finally(() => writing.delete(written))
    writing.add(written)
  }

  return {
    record(keyId) {
      const now = performance.now()
      if (now - (recordedAt.get(keyId) ?? Number.NEGATIVE_INFINITY) < RECORD_EVERY_MS) return
      if (recordedAt.size >= KEYS_REMEMBERED) recordedAt.clear()
      recordedAt.set(keyId, now)
      write(keyId)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(writing)
    },
  }
}
