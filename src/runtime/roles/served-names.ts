/** Reads the zone that our nameservers serve for a name: that of one of its claims. */
import { withCustomers } from '#domains/customer-records.ts'
import { chooseServed, isWokenByQuery, SET_UP } from '#domains/serving.ts'
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute } from '#names/domain-name.ts'
import type { ServedZone } from '#servers/dns/zone.ts'
import type { ServedName } from '#servers/served-name.ts'
import type { Database } from '#store/database.ts'
import { domainsNamed, importedAt, type ZoneRow, zonesNamed } from '#store/served-names.ts'

/** What is served for each name, and the domains that a query for it wakes. */
export async function readServedNames(
  db: Database,
  names: readonly string[],
): Promise<ServedName[]> {
  if (names.length === 0) return []
  const [zones, domains] = await Promise.all([zonesNamed(db, names), domainsNamed(db, names)])
  const served = new Map<string, ZoneRow>()
  for (const [name, claims] of Map.groupBy(zones, ({ name }) => name)) {
    const zone = chooseServed(claims)
    if (zone) served.set(name, zone)
  }
  const early = [...served.values()].filter(({ holder }) => holder === null)
  const namesOfEarly = early.map(({ name }) => name)
  const imported = await importedAt(db, namesOfEarly, SET_UP)
  const woken = Map.groupBy(domains.filter(isWokenByQuery), ({ name }) => name)
  return names.map((name) => {
    const zone = served.get(name)
    return {
      name,
      waiting: (woken.get(name) ?? []).map(({ id }) => id),
      zone:
        zone && servedZone(zone, withCustomers([], (imported.get(name) ?? []).map(shortLived), [])),
    }
  })
}

/** Unconfirmed zones get a short TTL. */
const EARLY_TTL_S = 300

const shortLived = <R extends { ttl: number }>(record: R): R => ({
  ...record,
  ttl: Math.min(record.ttl, EARLY_TTL_S),
})

/**
 * The holder's zone is served whole. An unconfirmed one has only what the name serves elsewhere: resolvers
 * that come before we see the delegation must not get negative answers.
 */
function servedZone(
  { name, world, claimId, nameservers, serial, rrsets, holder }: ZoneRow,
  found: readonly RRset[],
): ServedZone {
  const isUnconfirmed = holder === null
  return {
    apex: absolute(name),
    nameservers: nameservers.map(absolute),
    serial: wireSerial(serial),
    rrsets: isUnconfirmed ? found : rrsets,
    isUnconfirmed,
    // The catalog holds no sandbox zones.
    ...(world === 'live' ? { memberId: claimId } : {}),
  }
}

// RFC 1982: serials are compared modulo 2^32; ours only ever count up by one.
const wireSerial = (serial: string): number => Number(BigInt(serial) % 2n ** 32n)
