/** The zones that we serve, and which of them answers for a name. */

import { canonicalName, parentOf, suffixesOf } from '#dns/name.ts'
import { TYPE } from '#dns/types.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import { Zone } from './zone.ts'

export class Zones {
  readonly #byApex = new Map<string, Zone>()

  /** Serves a zone from now on, in place of what was served at its apex. Throws, and keeps that, if it cannot. */
  set(served: ServedZone): void {
    const zone = new Zone(served)
    this.#byApex.set(zone.apex, zone)
  }

  delete(apex: string): void {
    this.#byApex.delete(canonicalName(apex))
  }

  /**
   * The zone that answers for a name. A child never shadows a parent: of two zones the enclosing one
   * answers, unless it delegates the enclosed one's apex to exactly the enclosed one's nameservers.
   * Otherwise whoever claims mail.acme.test could take answers away from acme.test, which is hosted
   * here for someone else. And whoever merely claims acme.test takes nothing from mail.acme.test.
   */
  find(qname: string): Zone | undefined {
    let current: Zone | undefined
    for (const suffix of suffixesOf(qname).reverse()) {
      const zone = this.#byApex.get(suffix)
      if (zone !== undefined && (current === undefined || mayAnswer(zone, current))) current = zone
    }
    return current
  }

  /** The zone that answers for one type at a name. */
  findFor(qname: string, type: number): Zone | undefined {
    // RFC 4035 section 3.1.4.1: the DS of a zone is asked of its parent, if we serve it.
    const above = type === TYPE.DS ? this.find(parentOf(qname)) : undefined
    return above ?? this.find(qname)
  }
}

/** Whether a zone answers for itself below another. */
const mayAnswer = (zone: Zone, above: Zone): boolean =>
  (above.isUnconfirmed && !zone.isUnconfirmed) || above.delegates(zone)
