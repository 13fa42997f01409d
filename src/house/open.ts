/** The composition root: settings in, everything that runs out; disposing it ends it in reverse. */

import { MailWorkers } from '#mail/workers/mail-workers.ts'
import { writeEndpoint } from '#names/ip.ts'
import type { Nameserver } from '#servers/nameserver.ts'
import type { StoreContext } from '#store/context.ts'
import type { PortsOf } from '#store/domain-passes.ts'
import type { WorldName } from '#store/tables.ts'
import type { Role } from '../config.ts'
import type { World, Worlds } from '../world.ts'
import { type Accounts, openAccounts } from './accounts.ts'
import { openApi, openMeanwhile } from './api.ts'
import {
  type Foundation,
  firstKey,
  type HouseOptions,
  layGround,
  openServer,
} from './foundation.ts'
import { databaseCheck, type Health, openHealth, zonesCheck } from './health.ts'
import { openInbound } from './inbound.ts'
import { followDatabase, openNameserver } from './nameserver.ts'
import { openOutgoing } from './outgoing.ts'
import { openPaceShare } from './pace-share.ts'
import { MISBEHAVES_NOT, portsBuilder } from './ports.ts'
import { openRedirects, redirectAddresses } from './redirect.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'
import { whenPostgresAnswers } from './waiting.ts'
import { openWorkers } from './workers.ts'
import { type LiveState, liveObstacles, liveWorld } from './worlds.ts'

export type House = AsyncDisposable & {
  /** Where each listener really listens, for the ready line and for tests. */
  api: string | undefined
  dns: readonly string[]
  smtp: readonly string[]
  redirect: readonly string[]
  firstKeyFile: string | undefined
  store: StoreContext
}

/**
 * Starts what the settings ask for. Waits for Postgres as long as it takes; the nameserver answers meanwhile,
 * if it has its zones. Throws, with nothing left running, when a part cannot start, or the signal aborts.
 */
export async function openHouse(options: HouseOptions): Promise<House> {
  await using opened = new AsyncDisposableStack()
  const ground = await layGround(options, opened)
  const has = (role: Role) => options.config.roles.includes(role)
  const live = liveObstacles(options.config)
  const health = await openHealth(ground)
  const nameserver = has('dns') ? await openNameserver(ground, live.isConfigured) : undefined
  const connection = await openServer(ground, options.signal)
  const roles = await whenPostgresAnswers(ground, connection, {
    signal: options.signal,
    answerMeanwhile: () => (has('api') ? openMeanwhile(ground) : undefined),
    open: (foundation) => openRoles({ foundation, nameserver, live, health }, options.rests),
  })
  const { roles: open } = options.config
  options.logger.info({ roles: open, ...listenersOf(roles) }, 'started')
  const obstacles = live.isConfigured ? live.obstacles : []
  for (const obstacle of obstacles) options.logger.warn(`live domains are refused: ${obstacle}`)
  opened.defer(() => options.logger.info({ roles: open }, 'stops'))
  const closing = opened.move()
  return { ...roles, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

type Opening = {
  foundation: Foundation
  nameserver: Nameserver | undefined
  live: LiveState
  health: Health
}

const listenersOf = ({ api, dns, smtp, redirect }: Awaited<ReturnType<typeof openRoles>>) => ({
  api,
  dns,
  smtp,
  redirect,
})

async function openRoles(
  { foundation, nameserver, live, health }: Opening,
  rests: HouseOptions['rests'],
): Promise<Omit<House, typeof Symbol.asyncDispose>> {
  const { config, store } = foundation
  health.add('database', databaseCheck(store.db))
  const has = (role: Role) => config.roles.includes(role)
  const accounts = await openAccounts(foundation, rests)
  if (nameserver) {
    await followDatabase(foundation, nameserver, live.isConfigured)
    health.add('zones', zonesCheck(nameserver.staleMs))
  }
  const workers =
    has('smtp') || has('worker') ? foundation.opened.use(new MailWorkers()) : undefined
  const isWhole = has('api') && has('worker') && has('smtp')
  const sandbox =
    nameserver && workers && isWhole && !config.laboratory
      ? await openSandbox(foundation, nameserver, accounts.sandbox, workers)
      : undefined
  const firstKeyFile = sandbox ? await firstKey(foundation) : undefined
  // Only workers ask others' servers.
  const asks = has('worker') && live.isConfigured
  const share = asks ? await openPaceShare(foundation) : () => 0
  const worlds = openWorlds(foundation, live.isConfigured ? share : undefined, sandbox)
  const ports = portsOf(foundation, worlds, accounts, sandbox)
  const smtp = workers && has('smtp') ? await openInbound(foundation, worlds, workers) : []
  sandbox?.setInboundPorts(smtp)
  if (has('worker')) openWorkers(foundation, worlds, ports)
  if (has('worker') && workers) openOutgoing({ foundation, worlds, accounts, workers })
  const redirect = has('redirect') ? await openRedirects(foundation) : []
  const api = has('api')
    ? await openApi(foundation, { ports, accounts, sandbox, live, health })
    : undefined
  health.started()
  return {
    api,
    dns: nameserver?.listeners.map(writeEndpoint) ?? [],
    smtp: smtp.map(writeEndpoint),
    redirect: redirect.map(writeEndpoint),
    firstKeyFile,
    store,
  }
}

function openWorlds(
  { config }: Foundation,
  share: (() => number) | undefined,
  sandbox: Sandbox | undefined,
): Worlds {
  const worlds = new Map<WorldName, World>()
  if (share) worlds.set('live', liveWorld(config, share))
  if (sandbox) worlds.set('sandbox', sandbox.world)
  return worlds
}

function portsOf(
  { store, config }: Foundation,
  worlds: Worlds,
  accounts: Record<WorldName, Accounts>,
  sandbox: Sandbox | undefined,
): PortsOf {
  const { receivesMail, dkimRotationDays } = config
  const sendingLimits = { workspace: config.sendLimitPerWorkspace, installation: config.sendLimit }
  const builders = new Map<WorldName, ReturnType<typeof portsBuilder>>()
  for (const [name, world] of worlds) {
    const misbehaviour = world === sandbox?.world ? sandbox.misbehaviour : MISBEHAVES_NOT
    const parts = {
      store,
      world,
      accounts: accounts[name],
      misbehaviour,
      receivesMail,
      dkimRotationDays,
      sendingLimits,
    }
    const redirects = { redirectAddresses: redirectAddresses(name, config) }
    builders.set(name, portsBuilder({ ...parts, ...redirects }))
  }
  return (world, placed) => builders.get(world)?.(placed)
}
