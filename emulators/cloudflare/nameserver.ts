/** The real DNS server behind the API: it says of every zone what the zone holds at the moment. */
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute } from '#names/domain-name.ts'
import { answerQuery } from '#servers/dns/answer.ts'
import { listenDns } from '#servers/dns/listen.ts'
import type { Listener } from '#servers/dns/listener.ts'
import { Zones } from '#servers/dns/zones.ts'
import { rdataOf } from './content.ts'
import type { HeldRecord, HeldZone } from './world.ts'

const AUTOMATIC_TTL_S = 300

export type ZoneServer = {
  listener: Listener
  set(zone: HeldZone): void
  delete(name: string): void
}

export async function startZoneServer(
  address: string,
  port: number,
  onError: (error: unknown) => void,
): Promise<ZoneServer> {
  const zones = new Zones()
  const listener = await listenDns({
    address,
    port,
    onError,
    answer: (query, transport) => answerQuery(query, zones, transport)?.reply,
  })
  return {
    listener,
    delete: (name) => zones.delete(absolute(name)),
    set: ({ name, nameservers, serial, records }) =>
      zones.set({
        apex: absolute(name),
        nameservers: nameservers.map(absolute),
        serial,
        rrsets: rrsetsOf([...records.values()]),
      }),
  }
}

/** Proxied or not, what is answered is what the record says. */
function rrsetsOf(records: readonly HeldRecord[]): RRset[] {
  const groups = Map.groupBy(records, ({ name, type }) => `${name} ${type}`)
  return [...groups.values()].map((group) => ({
    name: absolute(group[0]!.name),
    type: group[0]!.type,
    // RFC 2181 section 5.2: an rrset has one TTL; the least keeps every record's promise.
    ttl: Math.min(...group.map(({ ttl }) => (ttl === 1 ? AUTOMATIC_TTL_S : ttl))),
    data: group.map((record) => rdataOf(record.type, record)),
  }))
}
