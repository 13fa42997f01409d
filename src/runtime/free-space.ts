/** Whether the disk of our own Postgres has room. A full one stops more than mail. */
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

  /** At most some seconds old. An unreadable disk does not count as short of space. */
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
