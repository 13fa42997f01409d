/**
 * Caches what a pass reads: another writer of it wakes the domain for another pass. So each pass needs its
 * own instance.
 */
export class PassCache<T> {
  readonly #known = new Map<string, Promise<T>>()

  get(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.#known.get(key)
    if (known) return known
    const reading = read()
    this.#known.set(key, reading)
    reading.catch(() => this.#known.delete(key))
    return reading
  }

  /** To be called after a write, successful or not. */
  forget(key: string): void {
    this.#known.delete(key)
  }

  /** Writes, and forgets. */
  async writing<R>(key: string, write: () => Promise<R>): Promise<R> {
    try {
      return await write()
    } finally {
      this.forget(key)
    }
  }
}
