/** The zones that we serve, as secondaries are given them. */
import type { Zones } from '../zones.ts'
import type { TransferSource } from './source.ts'

export function sourceOf(zones: Zones): TransferSource {
  return {
    zone(apex) {
      const zone = zones.find(apex)
      if (zone?.apex !== apex || zone.memberId === undefined) return undefined
      return { memberId: zone.memberId, soa: zone.soa, rrsets: () => zone.rrsets() }
    },
  }
}
