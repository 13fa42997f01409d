/** Live and sandbox are two values of one type; nothing else differs between them. */

import type { PoolName } from '#domains/claims.ts'
import type { Reach } from '#resolver/iterate.ts'
import type { Resolver } from '#resolver/resolver.ts'
import type { DnsView } from '#resolver/view.ts'
import type { Clock } from './clock.ts'

export type World = Reach & {
  name: 'live' | 'sandbox'
  smtpPort(address: string): number
  /** For the MX of outgoing mail and for judging incoming mail. */
  resolver: Resolver
  /** The public DNS, for one pass. */
  view(): DnsView
  clock: Clock
  /** Least time between two looks at one name's parent, in milliseconds. */
  soonestLookMs: number
  platform: Platform
}

/** The platform's own names in a world, and where they point. No trailing dots. */
export type Platform = {
  nameserverZone: string
  pool: readonly PoolName[]
  mailHost: string
  mailHostAddresses: readonly string[]
  /** What `_spf.<mailHost>` lists. */
  sourceAddresses: readonly string[]
  probeHost: string
}

export const probeHostOf = (mailHost: string): string => `probe.${mailHost}`

/** The worlds that are open in this process. */
export type Worlds = ReadonlyMap<World['name'], World>
