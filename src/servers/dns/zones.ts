/** The zones of a server that asks and answers in one thread. */
import { Responder } from './responder.ts'
import { encodeZone, lowercaseWire, type Unserved } from './store/encode.ts'
import { ZoneStore } from './store/store.ts'
import { StoreView } from './store/view.ts'
import type { ServedZone } from './zone.ts'

export class Zones {
  readonly #store = new ZoneStore()
  readonly responder = new Responder(new StoreView(this.#store.shared))

  /**
   * Serves a zone from now on, in place of what was served at its apex; gives the rrsets of it that
   * cannot be served. Throws, and keeps what there was, if the apex or the nameservers are at fault.
   */
  set(served: ServedZone): readonly Unserved[] {
    const { blob, unserved } = encodeZone(served)
    this.#store.put(blob)
    return unserved
  }

  delete(apex: string): void {
    this.#store.delete(lowercaseWire(apex))
  }
}
