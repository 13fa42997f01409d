/**
 * The part of Cloudflare's API v4 that a mail domain's zone needs: zones, records, activation and
 * dynamic redirects, with a real DNS server that serves the zones, and an edge that redirects visitors.
 * A free plan, one account, one token. Anything else gets the answer for an unknown route.
 */
import { randomBytes } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import type { RRset } from '#drivers/zone/contract.ts'
import { absolute, relative } from '#names/domain-name.ts'
import { type EmulatedAnswer, type EmulatorServer, startEmulator } from '../server.ts'
import { refusalAnswer } from './answers.ts'
import { answerCall } from './api.ts'
import { RequestBudget } from './budget.ts'
import { startEdge } from './edge.ts'
import { startZoneServer, type ZoneServer } from './nameserver.ts'
import { type HeldZone, newId, type World, zoneNamed } from './world.ts'

export type CloudflareEmulatorOptions = {
  port?: number
  /** Where the DNS server listens, by UDP and TCP; by default loopback and a free port. */
  dnsAddress?: string
  dnsPort?: number
  /** Where the edge serves visitors, by plain HTTP and IPv4; by default loopback and a free port. */
  edgeAddress?: string
  edgePort?: number
  /** The zone of the nameservers' names. */
  nameserverZone?: string
  /** 0 is no limit. Over it, every call is refused for `blockMs`. */
  requestsPerFiveMinutes?: number
  blockMs?: number
  batchLimit?: number
  /** The most members of a page, whatever size is requested. */
  pageLimit?: number
  recordsPerZone?: number
  /** The free plan has none. */
  tagsPerRecord?: number
  activationCheckEveryMs?: number
  /** Whether a zone may lie below another one, which the real one sells to enterprises only. */
  subdomains?: boolean
  /** Names that cannot be added. */
  banned?: readonly string[]
  now?: () => Date
  /** Receives failures of the DNS server and the edge. */
  onError?: (error: unknown) => void
}

export type CloudflareEmulator = EmulatorServer & {
  accountId: string
  apiToken: string
  /** The SDK's `baseURL`. */
  apiUrl: string
  dns: { address: string; port: number }
  /** Where proxied names lead; the DNS gives only the address, not the port. */
  edge: { address: string; port: number }
  /** Records that another server must serve so that the nameservers' names lead to this DNS server. */
  records: readonly RRset[]
  holdings(): { zones: string[]; records: number }
  /** Simulates that the registrar delegated to the nameservers, and a check has seen it. */
  activate(name: string): void
  /** Simulates that a check found the delegation gone. */
  move(name: string): void
  /** Makes the token unknown, until it is restored. */
  revoke(): void
  restore(): void
  /** Removes the token's rights to zones: they are not listed, made or changed. */
  forbid(): void
  allow(): void
  /** Removes the token's right to redirect rules only. */
  forbidRedirects(): void
  allowRedirects(): void
  /** Gives the name to another account: ours can neither make nor list it. */
  otherAccountHolds(name: string): void
}

const HOUR_MS = 3_600_000
const BLOCK_MS = 300_000
const NAMESERVER_TTL_S = 300

export async function startCloudflareEmulator(
  options: CloudflareEmulatorOptions = {},
): Promise<CloudflareEmulator> {
  const { dnsAddress = '127.0.0.1', dnsPort = 0, onError = console.error, now = clock } = options
  const { edgeAddress = '127.0.0.1', edgePort = 0 } = options
  if (!isIPv4(edgeAddress)) throw new Error(`The edge needs an IPv4 address, not ${edgeAddress}`)
  await using opened = new AsyncDisposableStack()
  const dns = await startZoneServer({ address: dnsAddress, port: dnsPort, edgeAddress, onError })
  opened.use(dns.listener)
  const world = newWorld(options, dns)
  const edge = await startEdge(world, { address: edgeAddress, port: edgePort }, onError)
  opened.use(edge)
  const { requestsPerFiveMinutes = 1200, blockMs = BLOCK_MS } = options
  const budget = new RequestBudget(requestsPerFiveMinutes, blockMs, now)
  const server = await startEmulator({
    port: options.port ?? 0,
    refusal,
    async handle(request) {
      const { isOver, headers } = budget.take()
      const answer = isOver ? refusalAnswer('throttled') : answerCall(world, request)
      return { ...answer, headers: { ...headers, ...answer.headers } }
    },
  })
  opened.use(server)
  const all = opened.move()
  return {
    ...server,
    apiUrl: `${server.url}/client/v4`,
    accountId: world.accountId,
    apiToken: world.apiToken,
    dns: { address: dns.listener.address, port: dns.listener.port },
    edge: { address: edge.address, port: edge.port },
    records: [wildcardTo(dnsAddress, world.nameserverZone)],
    ...controlsOf(world),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  }
}

const clock = (): Date => new Date()

function newWorld(options: CloudflareEmulatorOptions, dns: ZoneServer): World {
  return {
    accountId: newId(),
    apiToken: randomBytes(30).toString('base64url'),
    nameserverZone: options.nameserverZone ?? 'ns.cloudflare.com',
    takesSubdomains: options.subdomains ?? false,
    limits: {
      batch: options.batchLimit ?? 200,
      page: options.pageLimit ?? Number.POSITIVE_INFINITY,
      recordsPerZone: options.recordsPerZone ?? 200,
      tagsPerRecord: options.tagsPerRecord ?? 0,
      checkEveryMs: options.activationCheckEveryMs ?? HOUR_MS,
    },
    zones: new Map(),
    given: new Map(),
    pairsDrawn: 0,
    heldElsewhere: new Set(),
    banned: new Set(options.banned?.map(relative)),
    isRevoked: false,
    isForbidden: false,
    areRedirectsForbidden: false,
    now: options.now ?? clock,
    publish: (zone) => dns.set(zone),
    withdraw: (zone) => dns.delete(zone.name),
  }
}

function controlsOf(world: World) {
  return {
    holdings: () => {
      const zones = [...world.zones.values()]
      const records = zones.reduce((sum, zone) => sum + zone.records.size, 0)
      return { zones: zones.map(({ name }) => name), records }
    },
    activate(name: string) {
      const zone = heldZone(world, name)
      const now = world.now().toISOString()
      Object.assign(zone, { status: 'active', activatedOn: now, modifiedOn: now })
      world.publish(zone)
    },
    move(name: string) {
      const zone = heldZone(world, name)
      if (zone.status !== 'active') throw new Error(`${name} is ${zone.status}, so it cannot move`)
      Object.assign(zone, { status: 'moved', modifiedOn: world.now().toISOString() })
      world.publish(zone)
    },
    revoke() {
      world.isRevoked = true
    },
    restore() {
      world.isRevoked = false
    },
    forbid() {
      world.isForbidden = true
    },
    allow() {
      world.isForbidden = false
    },
    forbidRedirects() {
      world.areRedirectsForbidden = true
    },
    allowRedirects() {
      world.areRedirectsForbidden = false
    },
    otherAccountHolds(name: string) {
      world.heldElsewhere.add(relative(name))
    },
  }
}

function heldZone(world: World, name: string): HeldZone {
  const zone = zoneNamed(world, relative(name))
  if (zone === undefined) throw new Error(`There is no zone ${name}`)
  return zone
}

const wildcardTo = (address: string, zone: string): RRset => ({
  name: absolute(`*.${zone}`),
  type: isIPv6(address) ? 'AAAA' : 'A',
  ttl: NAMESERVER_TTL_S,
  data: [address],
})

/** For injected faults. */
function refusal(status: 401 | 403 | 429 | 500 | 503): EmulatedAnswer {
  if (status === 429) return refusalAnswer('throttled')
  if (status === 401 || status === 403) return refusalAnswer('unauthenticated', '', status)
  return refusalAnswer('out_of_order', '', status)
}
