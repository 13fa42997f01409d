/**
 * Zones at a PowerDNS Authoritative Server, by its HTTP API. The zone's `account` field carries the
 * claim's stamp. PowerDNS holds a name once, so claims on it must take turns.
 */
import { z } from 'zod'
import { takeTurns } from '../../../turns.ts'
import { DriverError } from '../../errors.ts'
import { httpClient } from '../../http.ts'
import { type DriverKind, secret, serviceUrl } from '../../kind.ts'
import type { ClaimRef, ZoneDriver } from '../contract.ts'
import { effectiveChanges } from '../effective-changes.ts'
import { type PdnsApi, type PdnsZone, pdnsApi } from './api.ts'
import { apexNs, freshZone, nameserversIn, toChange, toRRsets } from './convert.ts'
import { objectionTo } from './objections.ts'

const settings = z.strictObject({
  url: serviceUrl,
  api_key: secret,
  server_id: z.string().default('localhost'),
  /** The parent of the nameservers' names, and the addresses they resolve to. */
  nameserver_zone: z.string().min(1),
  nameserver_addresses: z.array(z.union([z.ipv4(), z.ipv6()])).min(1),
})

export const powerdns: DriverKind<ZoneDriver, z.infer<typeof settings>> = {
  settings,
  pool: ({ nameserver_zone, nameserver_addresses }) => ({
    zone: nameserver_zone,
    addresses: nameserver_addresses,
  }),
  open({ url, api_key, server_id }, { guard }) {
    const headers = { 'x-api-key': api_key }
    const http = httpClient({ provider: 'PowerDNS', baseUrl: url, headers, guard })
    return powerdnsDriver(pdnsApi(http, server_id))
  },
}

export function powerdnsDriver(api: PdnsApi): ZoneDriver {
  // With SQLite, PowerDNS answers 500 to concurrent writes.
  const inTurn = takeTurns()
  const write = <T>(work: () => Promise<T>): Promise<T> => inTurn('write', work)
  return {
    naming: 'pair',
    oneZonePerName: true,
    async ensureZone(claim, signal) {
      const zone = await api.getZone(claim.name, signal)
      const isMade = !zone && (await write(() => api.createZone(freshZone(claim), signal)))
      const there = isMade ? undefined : (zone ?? (await api.getZone(claim.name, signal)))
      if (!isMade) await write(() => adopt(api, claim, there, signal))
      return { nameservers: claim.nameservers }
    },
    async readZone(claim, signal) {
      const zone = await ownZone(api, claim, signal)
      return zone && toRRsets(zone)
    },
    async changeZone(claim, changes, signal) {
      const zone = await ownZone(api, claim, signal)
      if (!zone) throw new DriverError('rejected', `There is no zone ${claim.name} at PowerDNS.`)
      // Unchanged rrsets would raise the serial, and make every secondary transfer the zone again.
      const effective = effectiveChanges(toRRsets(zone), changes)
      if (effective.length === 0) return
      await write(() => api.patchZone(claim.name, effective.map(toChange), signal))
    },
    async removeZone(claim, signal) {
      if (!(await ownZone(api, claim, signal))) return
      await write(() => api.deleteZone(claim.name, signal))
    },
    objectionTo,
  }
}

/** Adopts an existing zone with our stamp, and repairs its NS rrset; otherwise throws. */
async function adopt(
  api: PdnsApi,
  claim: ClaimRef,
  zone: PdnsZone | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (zone?.account !== claim.claimId) {
    const sentence = `PowerDNS has a zone ${claim.name} that this claim did not make.`
    throw new DriverError('conflict', sentence)
  }
  const wanted = apexNs(claim.name, claim.nameservers)
  const there = new Set(nameserversIn(zone))
  const isRight = there.symmetricDifference(new Set(wanted.records.map(({ content }) => content)))
  if (isRight.size === 0) return
  await api.patchZone(claim.name, [{ ...wanted, changetype: 'REPLACE' }], signal)
}

async function ownZone(api: PdnsApi, { claimId, name }: ClaimRef, signal: AbortSignal) {
  const zone = await api.getZone(name, signal)
  return zone?.account === claimId ? zone : undefined
}
