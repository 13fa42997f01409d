/** Limits the octets of messages held in memory at once. One prefix has half of them at most. */
import { Remote } from '../dns/defence/remote.ts'

/** The memory of one message, until it is disposed of. */
export type Place = Disposable & {
  /** False where not enough is left. */
  take(octets: number): boolean
}

const SEED = { start: 0x51ed270b, multiplier: 0x2f0b4c47 }

export class Room {
  readonly #octets: number
  readonly #remote = new Remote()
  readonly #takenBy = new Map<number, number>()
  #taken = 0

  constructor(octets: number) {
    this.#octets = octets
  }

  placeFor(address: string): Place {
    this.#remote.setText(address)
    const prefix = this.#remote.prefixHash(SEED)
    let held = 0
    return {
      take: (octets) => {
        const own = this.#takenBy.get(prefix) ?? 0
        if (this.#taken + octets > this.#octets || own + octets > this.#octets / 2) return false
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
    this.#taken += octets
    const own = (this.#takenBy.get(prefix) ?? 0) + octets
    if (own > 0) this.#takenBy.set(prefix, own)
    else this.#takenBy.delete(prefix)
  }
}
