/** Makes the values of `World`: what differs between live and sandbox, all of it, in one place. */
import { getServers } from 'node:dns'
import { isIPv6 } from 'node:net'
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os'
import { nameserverPool } from '#domains/claims.ts'
import { isSpecialUse } from '#names/domain-name.ts'
import { isLoopback, isPrivateAddress, parseEndpoint } from '#names/ip.ts'
import { iterativeResolver, type Reach } from '#resolver/iterate.ts'
import { paced, unpaced } from '#resolver/pace.ts'
import { parentObserver } from '#resolver/parent.ts'
import type { Resolver } from '#resolver/resolver.ts'
import { ROOT_HINTS } from '#resolver/root-hints.ts'
import { stubResolver } from '#resolver/stub.ts'
import { surveyor } from '#resolver/survey.ts'
import { SANDBOX } from '#sandbox/names.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config.ts'
import { type Platform, probeHostOf, type World } from '../world.ts'

/** The platform's names in the real world, as configured. */
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

/** Fixed names, everything on one loopback address. */
export function sandboxPlatform(): Platform {
  const { nameserverZone, mailHost } = SANDBOX
  return {
    nameserverZone,
    pool: nameserverPool(nameserverZone, ['127.0.0.1']),
    mailHost,
    mailHostAddresses: ['127.0.0.1'],
    sourceAddresses: ['127.0.0.1'],
    probeHost: probeHostOf(mailHost),
  }
}

/** Why live domains cannot be served by this installation, in sentences; empty when they can. */
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

export function liveWorld(config: Config): World {
  const hasIPv6 = Object.values(networkInterfaces()).flat().some(isGlobalIPv6)
  const hints =
    config.rootHints.length > 0
      ? config.rootHints
      : ROOT_HINTS.map((address) => ({ address, port: 53 }))
  const ports = new Map(hints.map(({ address, port }) => [address, port]))
  const reach: Reach = {
    rootHints: hints.map(({ address }) => address),
    dnsPort: (address) => ports.get(address) ?? 53,
    mayConnect: (address) => {
      if (isIPv6(address) && !hasIPv6) return false
      return config.laboratory || !isPrivateAddress(address)
    },
    pace: paced(config.parentQueriesPerSecond, systemClock),
  }
  return worldOf('live', reach, () => 25, livePlatform(config), configuredResolver(config))
}

/** Without one, questions and mail over IPv6 could only be waited for in vain. */
const isGlobalIPv6 = (each?: NetworkInterfaceInfo): boolean =>
  each?.family === 'IPv6' && !isPrivateAddress(each.address)

export type SandboxPorts = {
  dns(address: string): number | undefined
  smtp(address: string): number | undefined
}

export function sandboxWorld(ports: SandboxPorts): World {
  const reach: Reach = {
    rootHints: SANDBOX.rootAddresses,
    // Port 9 is discard: nothing of the sandbox listens at other addresses.
    dnsPort: (address) => ports.dns(address) ?? 9,
    mayConnect: isLoopback,
    pace: unpaced,
  }
  return worldOf(
    'sandbox',
    reach,
    (address) => ports.smtp(address) ?? 9,
    sandboxPlatform(),
    iterativeResolver(reach),
  )
}

function worldOf(
  name: World['name'],
  reach: Reach,
  smtpPort: World['smtpPort'],
  platform: Platform,
  resolver: Resolver,
): World {
  return {
    name,
    ...reach,
    smtpPort,
    resolver,
    publicDns: iterativeResolver(reach),
    observer: parentObserver(reach, () => performance.now()),
    surveyor: surveyor(reach),
    clock: systemClock,
    platform,
  }
}

function configuredResolver(config: Config): Resolver {
  if (config.resolvers.length > 0) return stubResolver(config.resolvers)
  const system = getServers().flatMap((written) => parseEndpoint(written, 53) ?? [])
  return stubResolver(system)
}
