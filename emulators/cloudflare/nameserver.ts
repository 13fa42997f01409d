/** The real DNS server behind the API: it serves the present state of every zone. */
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute } from '#names/domain-name.ts'
import { answerQuery } from '#servers/dns/answer.ts'
import { listenDns } from '#servers/dns/listen.ts'
import type { Listener } from '#servers/dns/listener.ts'
import { Zones } from '#servers/dns/zones.ts'
import { rdataOf } from './content.ts'
import { PROXIABLE, proxiedNames } from './record.ts'
import type { HeldRecord, HeldZone } from './world.ts'

const AUTOMATIC_TTL_S = 300

export type ZoneServer = {
  listener: Listener
  set(zone: HeldZone): void
  delete(name: string): void
}

export type ZoneServerOptions = {
  address: string
  port: number
  /** The IPv4 address of proxied names. */
  edgeAddress: string
  onError: (error: unknown) => void
}

export async function startZoneServer(options: ZoneServerOptions): Promise<ZoneServer> {
  const { address, port, edgeAddress, onError } = options
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
    set: ({ name, nameservers, serial, records, status }) =>
      zones.set({
        apex: absolute(name),
        nameservers: nameservers.map(absolute),
        serial,
        rrsets:
          status === 'active'
            ? ledRRsets([...records.values()], edgeAddress)
            : toldRRsets([...records.values()]),
      }),
  }
}

/**
 * The rrsets of the records. Proxied names have the address of the edge, and hide their records. Until
 * the zone is active, none of its names is proxied.
 */
function ledRRsets(records: readonly HeldRecord[], edgeAddress: string): RRset[] {
  const proxied = proxiedNames(records)
  const told = records.filter(({ name, type }) => !(proxied.has(name) && PROXIABLE.includes(type)))
  return [...toldRRsets(told), ...[...proxied].map((name) => edgeRRset(name, edgeAddress))]
}

/** Cloudflare answers A and AAAA, whatever the type of the record; our edge has IPv4 only. */
const edgeRRset = (name: string, edgeAddress: string): RRset => ({
  name: absolute(name),
  type: 'A',
  ttl: AUTOMATIC_TTL_S,
  data: [edgeAddress],
})

function toldRRsets(records: readonly HeldRecord[]): RRset[] {
  const groups = Map.groupBy(records, ({ name, type }) => `${name} ${type}`)
  return [...groups.values()].map((group) => ({
    name: absolute(group[0]!.name),
    type: group[0]!.type,
    // RFC 2181 section 5.2: an rrset has one TTL: the lowest of its records.
    ttl: Math.min(...group.map(({ ttl }) => (ttl === 1 ? AUTOMATIC_TTL_S : ttl))),
    data: group.map((record) => rdataOf(record.type, record)),
  }))
}
