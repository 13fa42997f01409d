/** Starts the sandbox on loopback: a registry, outside mailboxes, and failures on demand. */
import { isIPv6 } from 'node:net'
import type { RRset } from '#drivers/zone/contract.ts'
import { Sessions } from '#mail/outgoing/sessions.ts'
import type { MailWorkers } from '#mail/workers/mail-workers.ts'
import { absolute, ancestorsOf } from '#names/domain-name.ts'
import type { Accounts } from '#runtime/accounts.ts'
import type { Runtime } from '#runtime/context.ts'
import { ensureSandboxKey } from '#runtime/data-directory.ts'
import { withSerials } from '#runtime/roles/dns.ts'
import type { Sandbox } from '#runtime/sandbox.ts'
import type { Nameserver } from '#servers/nameserver.ts'
import { platformZones } from '#servers/platform-zones.ts'
import type { StoreContext } from '#store/context.ts'
import { sandboxRoutes } from './api/routes.ts'
import { RESERVED_IN_SANDBOX, SANDBOX } from './names.ts'
import {
  misbehavingMailbox,
  misbehavingSender,
  misbehavingZone,
  type Outcome,
  type TakeOutcome,
} from './outcomes.ts'
import { type Delegation, startParentZones } from './parent.ts'
import { postboxRecords, sendFromOutside, startPostbox } from './postbox.ts'
import {
  keepSandboxMessage,
  listDelegations,
  listOutcomes,
  type OutstandingOutcome,
  takeOutcome,
} from './rows.ts'
import { sandboxPlatform, sandboxWorld } from './world.ts'

/** Opens the sandbox beside the nameserver, which serves its hosted zones too. */
export async function openSandbox(
  { store, config, tls, opened, onError }: Runtime,
  nameserver: Nameserver,
  accounts: Accounts,
  workers: MailWorkers,
): Promise<Sandbox> {
  const platform = sandboxPlatform()
  const ports = { dns: new Map<string, number>(), smtp: new Map<string, number>() }
  // The names of the pool resolve to one loopback address, which needs a listener.
  const own = nameserver.listeners.find(({ address }) => address === '127.0.0.1')
  const loopback = own ?? (await nameserver.listen({ address: '127.0.0.1', port: 0 }))
  ports.dns.set(loopback.address, loopback.port)
  for (const { address, port } of accounts.servers) ports.dns.set(address, port)
  for (const zone of await withSerials(store, platformZones(platform))) nameserver.serve(zone)

  const key = await ensureSandboxKey(config.dataDir)
  const outcomes = new OutstandingOutcomes(store)
  await outcomes.reload()
  const parent = opened.use(
    await startParentZones({
      fixed: {
        delegations: platformDelegations(),
        rrsets: [...poolGlue(accounts), ...postboxRecords(key), ...accounts.records],
      },
      outcomeFor: (name) => outcomes.takeForParent(name),
      onError,
    }),
  )
  const republish = async () => parent.publish(await listDelegations(store))
  await republish()

  const world = sandboxWorld({
    dns: (address) => parent.dnsPort(address) ?? ports.dns.get(address),
    smtp: (address) => ports.smtp.get(address),
  })
  const postbox = opened.use(
    await startPostbox({
      tls,
      onError,
      workers,
      resolver: world.resolver,
      keep: (message) => keepSandboxMessage(store, message),
    }),
  )
  ports.smtp.set(postbox.address, postbox.port)

  const sessions = opened.use(new Sessions())
  const take: TakeOutcome = async (name, stage) =>
    outcomes.hasAny(name) ? takeOutcome(store, name, stage) : undefined
  const reserved = [
    platform.nameserverZone,
    platform.mailHost,
    platform.probeHost,
    ...RESERVED_IN_SANDBOX,
  ]
  return {
    world,
    reserved,
    misbehaviour: {
      zone: (driver) => misbehavingZone(driver, take),
      sender: (driver) => misbehavingSender(driver, take),
      mailbox: (driver) => misbehavingMailbox(driver, take),
    },
    setInboundPorts(listeners) {
      for (const { address, port } of listeners) ports.smtp.set(address, port)
    },
    addRoutes: (app, authorize) =>
      sandboxRoutes(app, {
        store,
        reserved,
        republish,
        authorize: (request) => authorize(request, undefined),
        reloadOutcomes: () => outcomes.reload(),
        sendFromOutside: (mail) =>
          sendFromOutside(
            mail,
            (raw, domain) => workers.sign(raw, domain, key),
            {
              resolver: world.resolver,
              sessions,
              mailHost: SANDBOX.postboxHost,
              smtpPort: world.smtpPort,
              mayConnect: world.mayConnect,
              sourceAddresses: [SANDBOX.postboxAddress],
              smarthost: undefined,
            },
            AbortSignal.timeout(60_000),
          ),
      }),
  }
}

/** The platform's own zones are delegated to the first two names of the pool. */
function platformDelegations(): Delegation[] {
  const platform = sandboxPlatform()
  const nameservers = platform.pool.slice(0, 2).map(({ name }) => name)
  return [platform.nameserverZone, platform.mailHost].map((name) => ({
    name,
    nameservers,
    ds: [],
    publishedAt: new Date(0),
  }))
}

/** Glue for every name of the pool, as a registry publishes for hosts below its own TLD. */
function poolGlue({ zones }: Accounts): RRset[] {
  const outside = [...zones.values()].flatMap(({ pool }) => pool ?? [])
  return [...sandboxPlatform().pool, ...outside].map(({ name, address }) => ({
    name: absolute(name),
    type: isIPv6(address) ? 'AAAA' : 'A',
    ttl: 3600,
    data: [address],
  }))
}

/** The outstanding outcomes, in memory, so that the parent's servers answer without a query. */
class OutstandingOutcomes {
  readonly #store: StoreContext
  #byName = new Map<string, readonly OutstandingOutcome[]>()

  constructor(store: StoreContext) {
    this.#store = store
  }

  async reload(): Promise<void> {
    this.#byName = Map.groupBy(await listOutcomes(this.#store), ({ name }) => name)
  }

  hasAny = (name: string): boolean => this.#byName.has(name)

  /** Takes the next outcome for a query to the parent's servers; counts it down in memory only. */
  takeForParent(asked: string): Outcome | undefined {
    if (this.#byName.size === 0) return undefined
    const found = [asked, ...ancestorsOf(asked)]
      .flatMap((name) => this.#byName.get(name) ?? [])
      .find(({ stage }) => stage === 'delegated')
    if (!found || found.times <= 0) return undefined
    found.times -= 1
    return found.outcome
  }
}
