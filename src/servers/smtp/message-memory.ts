/** Limits the octets of messages held in memory at once. One prefix has half of them at most. */
import { Remote } from '../dns/defence/remote.ts'

/** The memory of one message, until it is disposed of. */
export type MemoryShare = Disposable & {
  /** False where not enough is left. */
  reserve(octets: number): boolean
}

const SEED = { start: 0x51ed270b, multiplier: 0x2f0b4c47 }

export class MessageMemory {
  readonly #octets: number
  readonly #remote = new Remote()
  readonly #reservedBy = new Map<number, number>()
  #reserved = 0

  constructor(octets: number) {
    this.#octets = octets
  }

  shareFor(address: string): MemoryShare {
    this.#remote.setText(address)
    const prefix = this.#remote.prefixHash(SEED)
    let held = 0
    return {
      reserve: (octets) => {
        const own = this.#reservedBy.get(prefix) ?? 0
        if (this.#reserved + octets > this.#octets || own + octets > this.#octets / 2) return false
        held += octets
        this.#account(prefix, octets)
        return true
      },
      [Symbol.dispose]: () => {
        this.#account(prefix, -held)
        held = 0
      },
    }
  }

  #account(prefix: number, octets: number): void {
    this.#reserved += octets
    const own = (this.#reservedBy.get(prefix) ?? 0) + octets
    if (own > 0) this.#reservedBy.set(prefix, own)
    else this.#reservedBy.delete(prefix)
  }
}
