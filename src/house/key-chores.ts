/** What is done about API keys behind the answers: noting their use, forgetting what is too old. */
import { touchApiKey } from '#store/api-keys.ts'
import type { StoreContext } from '#store/context.ts'
import { dropOldAnswers } from '#store/idempotent-requests.ts'
import { dropOldCounts } from '#store/request-counts.ts'

const NOTE_EVERY_MS = 60_000
const KEYS_REMEMBERED = 10_000
const TIDY_EVERY_MS = 10 * 60_000

export type Uses = AsyncDisposable & { note(keyId: string): void }

/** Writes when a key was last used, once a minute at most for each; nobody waits for it. */
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

/** Forgets old counts and old answers, at once and every ten minutes. */
export function keepTidy(store: StoreContext, onError: (error: unknown) => void): AsyncDisposable {
  let tidying = Promise.resolve()
  const tidy = () => {
    tidying = tidying
      .then(() => dropOldCounts(store))
      .then(() => dropOldAnswers(store))
      .catch(onError)
  }
  tidy()
  const timer = setInterval(tidy, TIDY_EVERY_MS)
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await tidying
    },
  }
}
