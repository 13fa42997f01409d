/** The live world, as configured, and what prevents it. */
import { getServers } from 'node:dns'
import { isIPv6 } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import type { Config } from '#config/settings.ts'
import { nameserverPool } from '#domains/claims.ts'
import { isSpecialUse } from '#names/domain-name.ts'
import { isPrivateAddress, parseEndpoint } from '#names/ip.ts'
import type { Reach } from '#resolver/iterate.ts'
import { paced, paceExcept, shareOf } from '#resolver/pace.ts'
import type { Resolver } from '#resolver/resolver.ts'
import { ROOT_HINTS } from '#resolver/root-hints.ts'
import { stubResolver } from '#resolver/stub.ts'
import { dnsViews } from '#resolver/view.ts'
import { systemClock } from '../clock.ts'
import { type Platform, probeHostOf, type World } from '../world.ts'

/** The platform's live names, as configured. */
export function livePlatform(config: Config): Platform {
  const addresses = orListening(config.nameserverAddresses, config.dnsListen)
  const mailHostAddresses = orListening(config.mailHostAddresses, config.smtpListen)
  return {
    nameserverZone: config.nameserverZone,
    pool: nameserverPool(config.nameserverZone, addresses),
    mailHost: config.mailHost,
    mailHostAddresses,
    sourceAddresses:
      config.smtpSourceAddresses.length > 0 ? config.smtpSourceAddresses : mailHostAddresses,
    probeHost: probeHostOf(config.mailHost),
  }
}

const orListening = (
  given: readonly string[],
  listening: readonly { address: string }[],
): readonly string[] => (given.length > 0 ? given : listening.map(({ address }) => address))

/** Why this installation cannot serve live domains, in sentences; empty when it can. */
export type LiveState = { isConfigured: boolean; obstacles: readonly string[] }

export function liveObstacles(config: Config): LiveState {
  if (config.laboratory) return { isConfigured: true, obstacles: [] }
  if (isSpecialUse(config.nameserverZone)) return { isConfigured: false, obstacles: [] }
  const { pool, mailHostAddresses } = livePlatform(config)
  const nameserverAddresses = new Set(pool.map(({ address }) => address))
  return {
    isConfigured: true,
    obstacles: [
      ...[...nameserverAddresses]
        .filter(isPrivateAddress)
        .map((address) => `The nameservers would resolve to ${address}, which is not public.`),
      ...mailHostAddresses
        .filter(isPrivateAddress)
        .map((address) => `The mail host would resolve to ${address}, which is not public.`),
      ...(nameserverAddresses.size < 2
        ? ['The nameservers need at least two public addresses.']
        : []),
      ...(isSpecialUse(config.mailHost) ? ['The mail host has a special-use name.'] : []),
    ],
  }
}

/** Per server, over all surveys of this process: an import of some 130 queries takes a second. */
const SURVEY_PER_SECOND = 200

/** `share`: this process's current part of the query rate to others' servers. */
export function liveWorld(config: Config, share: () => number): World {
  const hasIPv6 = Object.values(networkInterfaces()).flat().some(isGlobalIPv6)
  const hints =
    config.rootHints.length > 0
      ? config.rootHints
      : ROOT_HINTS.map((address) => ({ address, port: 53 }))
  // In a laboratory our own nameservers may use other ports.
  const own = config.laboratory ? config.dnsListen.filter(({ port }) => port !== 0) : []
  const ports = new Map([...own, ...hints].map(({ address, port }) => [address, port]))
  const platform = livePlatform(config)
  const rootHints = hints.map(({ address }) => address)
  const reach: Reach = {
    rootHints,
    dnsPort: (address) => ports.get(address) ?? 53,
    mayConnect: (address) => {
      if (isIPv6(address) && !hasIPv6) return false
      return config.laboratory || !isPrivateAddress(address)
    },
    surveyPace: paced(() => SURVEY_PER_SECOND, systemClock),
    pace: paceExcept(
      paced(() => shareOf(config.parentQueriesPerSecond, share()), systemClock),
      (address) => isOurs(platform, address) && !rootHints.includes(address),
    ),
  }
  return {
    ...reach,
    name: 'live',
    smtpPort: () => 25,
    resolver: configuredResolver(config),
    view: dnsViews(reach, () => performance.now()),
    clock: systemClock,
    soonestLookMs: 2000,
    platform,
  }
}

const isOurs = ({ pool }: Platform, asked: string): boolean =>
  pool.some(({ address }) => address === asked)

/** Without one, queries and mail over IPv6 would only time out. */
const isGlobalIPv6 = (each?: NetworkInterfaceInfo): boolean =>
  each?.family === 'IPv6' && !isPrivateAddress(each.address)

function configuredResolver(config: Config): Resolver {
  if (config.resolvers.length > 0) return stubResolver(config.resolvers)
  const system = getServers().flatMap((written) => parseEndpoint(written, 53) ?? [])
  return stubResolver(system)
}
