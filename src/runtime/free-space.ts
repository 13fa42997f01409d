/** Watches the free space of the embedded Postgres' disk: a full disk stops more than mail. */
import { statfs } from 'node:fs/promises'

const LOOKED_AT_EVERY_MS = 5000

export class FreeSpace {
  readonly #path: string
  readonly #leastOctets: number
  #look: { at: number; isShort: Promise<boolean> } | undefined

  constructor(path: string, leastOctets: number) {
    this.#path = path
    this.#leastOctets = leastOctets
  }

  /** Whether space is short, as of at most 5 s ago. False if the disk cannot be read. */
  isShort(): Promise<boolean> {
    const now = performance.now()
    if (!this.#look || now - this.#look.at > LOOKED_AT_EVERY_MS)
      this.#look = { at: now, isShort: this.#ask() }
    return this.#look.isShort
  }

  async #ask(): Promise<boolean> {
    try {
      const { bavail, bsize } = await statfs(this.#path)
      return bavail * bsize < this.#leastOctets
    } catch {
      return false
    }
  }
}
