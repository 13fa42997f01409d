import { DriverError } from '../errors.ts'
import type { RRset, ZoneDriver } from './contract.ts'

/** The reference: a zone host that keeps its zones in memory, and does only what the contract says. */
export function memoryZoneDriver(): ZoneDriver {
  const zones = new Map<string, Map<string, RRset>>()
  const zoneOf = (claimId: string) => {
    const zone = zones.get(claimId)
    if (zone === undefined) throw new DriverError('rejected', 'There is no such zone here.')
    return zone
  }
  return {
    naming: 'pair',
    oneZonePerName: false,
    async ensureZone({ claimId, nameservers }, signal) {
      signal.throwIfAborted()
      if (!zones.has(claimId)) zones.set(claimId, new Map())
      return { nameservers }
    },
    async readZone({ claimId }, signal) {
      signal.throwIfAborted()
      const zone = zones.get(claimId)
      return zone && structuredClone([...zone.values()])
    },
    async changeZone({ claimId }, changes, signal) {
      signal.throwIfAborted()
      const zone = zoneOf(claimId)
      for (const change of changes) {
        if ('put' in change)
          zone.set(`${change.put.name} ${change.put.type}`, structuredClone(change.put))
        else zone.delete(`${change.drop.name} ${change.drop.type}`)
      }
    },
    async removeZone({ claimId }, signal) {
      signal.throwIfAborted()
      zones.delete(claimId)
    },
    objectionTo: () => undefined,
  }
}
