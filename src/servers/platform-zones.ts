/** The platform's own zones: the nameserver zone, and the mail host's if it lies outside of that. */
import { isIPv6 } from 'node:net'
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute, isWithin } from '#names/domain-name.ts'
import { spfOfAddresses } from '#policy/spf.ts'
import type { ServedZone } from './dns/zone.ts'

export type PlatformNames = {
  nameserverZone: string
  pool: readonly { name: string; address: string }[]
  mailHost: string
  mailHostAddresses: readonly string[]
  sourceAddresses: readonly string[]
  probeHost: string
}

const TTL_S = 3600

/** The zones to serve for a world's platform names. */
export function platformZones(platform: PlatformNames): ServedZone[] {
  const nameservers = platform.pool.slice(0, 2).map(({ name }) => absolute(name))
  const pool = platform.pool.flatMap(({ name, address }) => addressRRsets(name, [address]))
  const mail = mailHostRRsets(platform)
  const zone = (apex: string, rrsets: readonly RRset[]): ServedZone => ({
    apex: absolute(apex),
    nameservers,
    serial: 1,
    rrsets,
  })
  if (isWithin(platform.mailHost, platform.nameserverZone)) {
    return [zone(platform.nameserverZone, [...pool, ...mail])]
  }
  return [zone(platform.nameserverZone, pool), zone(platform.mailHost, mail)]
}

function mailHostRRsets({
  mailHost,
  mailHostAddresses,
  sourceAddresses,
  probeHost,
}: PlatformNames): RRset[] {
  const spf = spfOfAddresses(...sourceAddresses)
  return [
    ...addressRRsets(mailHost, mailHostAddresses),
    { name: absolute(`_spf.${mailHost}`), type: 'TXT', ttl: TTL_S, data: [spf] },
    // The name we say in EHLO has a policy of its own (RFC 7208 section 10.1.3).
    { name: absolute(mailHost), type: 'TXT', ttl: TTL_S, data: [spf] },
    { name: absolute(probeHost), type: 'MX', ttl: TTL_S, data: [`10 ${absolute(mailHost)}`] },
  ]
}

function addressRRsets(name: string, addresses: readonly string[]): RRset[] {
  const v6 = addresses.filter((address) => isIPv6(address))
  const v4 = addresses.filter((address) => !isIPv6(address))
  const rrset = (type: 'A' | 'AAAA', data: readonly string[]): RRset[] =>
    data.length > 0 ? [{ name: absolute(name), type, ttl: TTL_S, data }] : []
  return [...rrset('A', v4), ...rrset('AAAA', v6)]
}
