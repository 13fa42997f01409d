/** The state of the emulated provider: one account with its zones. */
import { randomBytes } from 'node:crypto'
import type { NamedType } from '#drivers/zone/contract.ts'

export type CaaData = { flags: number; tag: string; value: string }
export type SrvData = { priority: number; weight: number; port: number; target: string }

/** The fields that make two records identical, in the provider's own presentation. */
export type Content = {
  content: string
  priority?: number
  data?: CaaData | SrvData | Record<string, string | number>
}

/** A record as its body describes it. */
export type Draft = Content & {
  type: NamedType
  name: string
  ttl: number
  proxied: boolean
  comment: string | null
  tags: readonly string[]
}

export type HeldRecord = Draft & { id: string; createdOn: string; modifiedOn: string }

export type Target = { value: string } | { expression: string }
export type Redirect = {
  id: string
  version: number
  lastUpdated: string
  expression: string
  description: string
  enabled: boolean
  ref: string
  target: Target
  statusCode: number
  isQueryKept: boolean
}
export type Ruleset = {
  id: string
  version: number
  lastUpdated: string
  description: string
  rules: readonly Redirect[]
}

export type ZoneStatus = 'pending' | 'active' | 'moved'
export type HeldZone = {
  id: string
  name: string
  nameservers: readonly [string, string]
  status: ZoneStatus
  createdOn: string
  modifiedOn: string
  activatedOn: string | null
  checkedAtMs: number | undefined
  serial: number
  records: ReadonlyMap<string, HeldRecord>
  redirects: Ruleset | undefined
}

export type Limits = {
  batch: number
  /** The most members of a page, whatever size is requested. */
  page: number
  recordsPerZone: number
  tagsPerRecord: number
  checkEveryMs: number
}

export type World = {
  readonly accountId: string
  readonly apiToken: string
  readonly nameserverZone: string
  readonly takesSubdomains: boolean
  readonly limits: Limits
  readonly zones: Map<string, HeldZone>
  /** The nameservers last assigned to a name, so that the next ones differ. */
  readonly given: Map<string, readonly [string, string]>
  pairsDrawn: number
  readonly heldElsewhere: Set<string>
  readonly banned: ReadonlySet<string>
  isRevoked: boolean
  isForbidden: boolean
  areRedirectsForbidden: boolean
  now(): Date
  /** Makes the nameservers serve a zone's present state. */
  publish(zone: HeldZone): void
  withdraw(zone: HeldZone): void
}

export const newId = (): string => randomBytes(16).toString('hex')

export const zoneNamed = (world: World, name: string): HeldZone | undefined =>
  world.zones.values().find((zone) => zone.name === name)
