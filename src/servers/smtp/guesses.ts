/** Limits how often the clients of one network prefix may fail to log in. */
import { Remote } from '../dns/defence/remote.ts'

/** Enough for an office whose programs all have an old password; no password can be guessed (130 bits). */
const FAILURES = 100
const WITHIN_MS = 600_000
const PREFIXES = 10_000
const SEED = { start: 0x2c9277b5, multiplier: 0x5f356495 }

export class Guesses {
  readonly #remote = new Remote()
  readonly #failures = new Map<number, { count: number; since: number }>()

  /** Whether the prefix of this address has failed too often lately. */
  areTooMany(address: string): boolean {
    const found = this.#failures.get(this.#prefixOf(address))
    return found !== undefined && found.count >= FAILURES && !isOver(found)
  }

  failed(address: string): void {
    const prefix = this.#prefixOf(address)
    const found = this.#failures.get(prefix)
    if (found && !isOver(found)) found.count += 1
    else {
      if (this.#failures.size >= PREFIXES) this.#failures.clear()
      this.#failures.set(prefix, { count: 1, since: performance.now() })
    }
  }

  #prefixOf(address: string): number {
    this.#remote.setText(address)
    return this.#remote.prefixHash(SEED)
  }
}

const isOver = ({ since }: { since: number }): boolean => performance.now() - since > WITHIN_MS
