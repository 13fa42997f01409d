/**
 * What a pass has read it does not read again: while it holds its domain, nobody else writes what it reads
 * this way, or wakes the domain for another pass. So whatever keeps one of these is made for each pass.
 */
export class ReadOnce<T> {
  readonly #known = new Map<string, Promise<T>>()

  get(key: string, read: () => Promise<T>): Promise<T> {
    const known = this.#known.get(key)
    if (known) return known
    const reading = read()
    this.#known.set(key, reading)
    reading.catch(() => this.#known.delete(key))
    return reading
  }

  /** To be called once it was written, whether that went well or not. */
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
