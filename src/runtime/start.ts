/** The composition root: starts the roles in the settings. Disposing ends them in reverse order. */

import type { Role } from '#config/settings.ts'
import type { Dovecot } from '#dovecot/dovecot.ts'
import type { MailFiles } from '#drivers/mailbox/dovecot/driver.ts'
import { MailWorkers } from '#mail/workers/mail-workers.ts'
import { writeEndpoint } from '#names/ip.ts'
import { openSandbox } from '#sandbox/sandbox.ts'
import type { Nameserver } from '#servers/nameserver.ts'
import type { StoreContext } from '#store/context.ts'
import type { PortsOf } from '#store/domain-passes.ts'
import { removedInboxes } from '#store/mailbox-copies.ts'
import type { WorldName } from '#store/tables.ts'
import type { World, Worlds } from '../world.ts'
import { type Accounts, hasDovecot, openAccounts } from './accounts.ts'
import {
  firstKey,
  openBareRuntime,
  openServer,
  type Runtime,
  type StartOptions,
} from './context.ts'
import { NO_FAULTS, portsBuilder } from './domain-ports.ts'
import { databaseCheck, type Health, openHealth, zonesCheck } from './health.ts'
import { openPaceShare } from './pace-share.ts'
import { whenPostgresAnswers } from './postgres-wait.ts'
import { openApi, openUnavailableApi } from './roles/api.ts'
import { followDatabase, openNameserver } from './roles/dns.ts'
import { openDovecot } from './roles/imap.ts'
import { openOutgoing } from './roles/mail-queue.ts'
import { openRedirects, redirectAddresses } from './roles/redirect.ts'
import { openInbound } from './roles/smtp.ts'
import { openSubmission } from './roles/submission.ts'
import { openWorkers } from './roles/worker.ts'
import type { Sandbox } from './sandbox.ts'
import { sendingLimitsOf } from './sending-limits.ts'
import { type LiveState, liveObstacles, liveWorld } from './worlds.ts'

export type Running = AsyncDisposable & {
  /** The actual address of each listener; the ready line shows it. */
  api: string | undefined
  dns: readonly string[]
  smtp: readonly string[]
  /** With STARTTLS, and with TLS from the start. */
  submission: { startTls: readonly string[]; implicitTls: readonly string[] }
  imap: readonly string[]
  redirect: readonly string[]
  firstKeyFile: string | undefined
  store: StoreContext
}

/**
 * Starts the roles in the settings. Waits for Postgres without limit; meanwhile the nameserver
 * answers, if it has its zones. If a part cannot start or the signal aborts, ends all parts and
 * throws.
 */
export async function startMailstead(options: StartOptions): Promise<Running> {
  await using opened = new AsyncDisposableStack()
  const bare = await openBareRuntime(options, opened)
  const has = (role: Role) => options.config.roles.includes(role)
  const live = liveObstacles(options.config)
  const health = await openHealth(bare)
  const nameserver = has('dns') ? await openNameserver(bare, live.isConfigured) : undefined
  const connection = await openServer(bare, options.signal)
  const roles = await whenPostgresAnswers(bare, connection, {
    signal: options.signal,
    openStandIn: () => (has('api') ? openUnavailableApi(bare) : undefined),
    open: (runtime) => openRoles({ runtime, nameserver, live, health }, options.rests),
  })
  const { roles: open } = options.config
  options.logger.info({ roles: open, ...listenersOf(roles) }, 'started')
  const obstacles = live.isConfigured ? live.obstacles : []
  for (const obstacle of obstacles) options.logger.warn(`refuses live domains: ${obstacle}`)
  opened.defer(() => options.logger.info({ roles: open }, 'stops'))
  const closing = opened.move()
  return { ...roles, [Symbol.asyncDispose]: () => closing.disposeAsync() }
}

type Opening = {
  runtime: Runtime
  nameserver: Nameserver | undefined
  live: LiveState
  health: Health
}

const listenersOf = ({
  firstKeyFile,
  store,
  ...listeners
}: Omit<Running, typeof Symbol.asyncDispose>) => listeners

async function openRoles(
  { runtime, nameserver, live, health }: Opening,
  rests: StartOptions['rests'],
): Promise<Omit<Running, typeof Symbol.asyncDispose>> {
  const { config, store } = runtime
  health.add('database', databaseCheck(store.db))
  const has = (role: Role) => config.roles.includes(role)
  const accounts = await openAccounts(runtime, rests)
  if (nameserver) {
    await followDatabase(runtime, nameserver, live.isConfigured)
    health.add('zones', zonesCheck(nameserver.staleMs))
  }
  const readsMail = has('smtp') || has('worker') || has('api')
  const workers = readsMail ? runtime.opened.use(new MailWorkers()) : undefined
  const isWhole = has('api') && has('worker') && has('smtp')
  const sandbox =
    nameserver && workers && isWhole && !config.laboratory
      ? await openSandbox(runtime, nameserver, accounts.sandbox, workers)
      : undefined
  const firstKeyFile = sandbox ? await firstKey(runtime) : undefined
  // Only workers send queries to outside nameservers.
  const asks = has('worker') && live.isConfigured
  const share = asks ? await openPaceShare(runtime) : () => 0
  const worlds = openWorlds(runtime, live.isConfigured ? share : undefined, sandbox)
  const dovecot =
    has('worker') && hasDovecot(config) ? await openDovecot(runtime, worlds) : undefined
  const ports = portsOf(runtime, worlds, { accounts, sandbox, dovecot })
  const smtp = workers && has('smtp') ? await openInbound(runtime, worlds, workers) : []
  sandbox?.setInboundPorts(smtp)
  const submission =
    workers && has('smtp')
      ? await openSubmission(runtime, worlds, workers)
      : { startTls: config.submissionListen, implicitTls: config.submissionsListen }
  if (has('worker')) openWorkers(runtime, worlds, ports)
  if (has('worker') && workers) openOutgoing({ runtime, worlds, accounts, workers })
  const imap = dovecot?.listeners ?? (hasDovecot(config) ? config.imapsListen : [])
  const redirect = has('redirect') ? await openRedirects(runtime, sandbox !== undefined) : []
  const api =
    has('api') && workers
      ? await openApi(runtime, {
          ports,
          worlds,
          accounts,
          sandbox,
          workers,
          submission,
          imap,
          live,
          health,
        })
      : undefined
  health.started()
  return {
    api,
    dns: nameserver?.listeners.map(writeEndpoint) ?? [],
    smtp: smtp.map(writeEndpoint),
    submission: {
      startTls: submission.startTls.map(writeEndpoint),
      implicitTls: submission.implicitTls.map(writeEndpoint),
    },
    imap: dovecot?.listeners.map(writeEndpoint) ?? [],
    redirect: redirect.map(writeEndpoint),
    firstKeyFile,
    store,
  }
}

function openWorlds(
  { config }: Runtime,
  share: (() => number) | undefined,
  sandbox: Sandbox | undefined,
): Worlds {
  const worlds = new Map<WorldName, World>()
  if (share) worlds.set('live', liveWorld(config, share))
  if (sandbox) worlds.set('sandbox', sandbox.world)
  return worlds
}

type PortsParts = {
  accounts: Record<WorldName, Accounts>
  sandbox: Sandbox | undefined
  dovecot: Dovecot | undefined
}

function portsOf(
  { store, config }: Runtime,
  worlds: Worlds,
  { accounts, sandbox, dovecot }: PortsParts,
): PortsOf {
  const { receivesMail, dkimRotationDays } = config
  const sendingLimits = sendingLimitsOf(config)
  const builders = new Map<WorldName, ReturnType<typeof portsBuilder>>()
  for (const [name, world] of worlds) {
    const misbehaviour = world === sandbox?.world ? sandbox.misbehaviour : NO_FAULTS
    const parts = {
      store,
      world,
      accounts: accounts[name],
      mailFiles: dovecot && mailFilesOf(dovecot, store),
      hasDovecot: hasDovecot(config),
      misbehaviour,
      receivesMail,
      dkimRotationDays,
      sendingLimits,
    }
    const redirects = { redirectAddresses: redirectAddresses(name, config) }
    builders.set(name, portsBuilder({ ...parts, ...redirects }))
  }
  return (world, chosen) => builders.get(world)?.(chosen)
}

const mailFilesOf = ({ removeInbox, removeClaim }: Dovecot, store: StoreContext): MailFiles => ({
  removeInbox,
  removeClaim,
  removedInboxes: (claimId, localpart) => removedInboxes(store, claimId, localpart),
})
