/** The sandbox's world: loopback, with servers of its own. */
import { nameserverPool } from '#domains/claims.ts'
import { isLoopback } from '#names/ip.ts'
import type { Reach } from '#resolver/iterate.ts'
import { unpaced } from '#resolver/pace.ts'
import { dnsViews } from '#resolver/view.ts'
import { systemClock } from '../clock.ts'
import { type Platform, probeHostOf, type World } from '../world.ts'
import { SANDBOX } from './names.ts'

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
  const view = dnsViews(reach, () => performance.now())
  return {
    ...reach,
    name: 'sandbox',
    smtpPort: (address) => ports.smtp(address) ?? 9,
    resolver: { resolve: (...question) => view().publicDns.resolve(...question) },
    view,
    clock: systemClock,
    // The parent is our own, so the rate may be high.
    soonestLookMs: 200,
    platform: sandboxPlatform(),
  }
}
