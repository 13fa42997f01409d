/** Zones and the responder for them, in one thread. */
import { Responder } from './responder.ts'
import { encodeZone, lowercaseWire, type Unserved } from './store/encode.ts'
import { ZoneStore } from './store/store.ts'
import { StoreView } from './store/view.ts'
import type { ServedZone } from './zone.ts'

export class Zones {
  readonly #store = new ZoneStore()
  readonly responder = new Responder(new StoreView(this.#store.shared))

  /**
   * Serves a zone from now on, in place of the one at its apex; returns its rrsets that cannot be
   * served. Throws, and keeps the former zone, if the apex or the nameservers are invalid.
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
