/** Records when API keys were last used, after the answer. */
import { touchApiKey } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'

const NOTE_EVERY_MS = 60_000
const KEYS_REMEMBERED = 10_000

export type Uses = AsyncDisposable & { note(keyId: string): void }

/** Records a key's last use, at most once a minute for each; no request waits for it. */
export function noteUses(store: StoreContext, onError: (error: unknown) => void): Uses {
  const noted = new Map<string, number>()
  const writing = new Set<Promise<void>>()

  function write(keyId: string): void {
    const written = touchApiKey(store, keyId)
      .catch(onError)
      .finally(() => writing.delete(written))
    writing.add(written)
  }

  return {
    note(keyId) {
      const now = performance.now()
      if (now - (noted.get(keyId) ?? Number.NEGATIVE_INFINITY) < NOTE_EVERY_MS) return
      if (noted.size >= KEYS_REMEMBERED) noted.clear()
      noted.set(keyId, now)
      write(keyId)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(writing)
    },
  }
}
