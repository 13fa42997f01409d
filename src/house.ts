/** The composition root: settings in, everything that runs out; disposing it ends it in reverse. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { startAdmin } from '#api/admin.ts'
import { keyChecker } from '#api/auth.ts'
import { startApi } from '#api/server.ts'
import { domainPass } from '#domains/pass.ts'
import type { Ports } from '#domains/ports.ts'
import type { DeliverOptions } from '#drivers/sender/embedded/deliver.ts'
import { type Doorbell, openDoorbell } from '#engine/doorbell.ts'
import { startWorker } from '#engine/worker.ts'
import { isLoopback, writeEndpoint } from '#names/ip.ts'
import { type Nameserver, startNameserver } from '#servers/nameserver.ts'
import { platformZones } from '#servers/platform-zones.ts'
import { listenInbound } from '#servers/smtp/inbound.ts'
import {
  createApiKey,
  ensureWorkspace,
  FIRST_WORKSPACE,
  findApiKey,
  hasApiKeys,
} from '#store/api-keys.ts'
import { type StoreContext, TOPICS } from '#store/context.ts'
import { isDatabaseAway, openDatabase, pingDatabase } from '#store/database.ts'
import { loadDelivery, noteAttempt } from '#store/deliveries.ts'
import { loadForPass } from '#store/domain-passes.ts'
import { wakeForQuery } from '#store/domains.ts'
import { startPostgres } from '#store/embedded-postgres.ts'
import { findMailDomain } from '#store/mail-domains.ts'
import { keepMessage } from '#store/messages.ts'
import { migrate } from '#store/migrate.ts'
import { isProbeRecipient, judgeProbe } from '#store/probes.ts'
import { stockKeyPairs } from '#store/sender-domains.ts'
import { changedNames, readServedNames } from '#store/served-names.ts'
import type { WorldName } from '#store/tables.ts'
import { openVault } from '#store/vault.ts'
import { adminSocketPath, makeAdminDirectory } from './admin-path.ts'
import type { Config, Role } from './config.ts'
import { keptCertificate, keptFirstKey, keptSecretKey } from './keepsakes.ts'
import { deliveryPass } from './mail/queue.ts'
import { judgeRecipient, type ReceiveOptions, receive } from './mail/receive.ts'
import { buildPorts, MISBEHAVES_NOT } from './ports.ts'
import { openSandbox, type Sandbox } from './sandbox-house.ts'
import type { World } from './world.ts'
import { liveObstacles, livePlatform, liveWorld } from './worlds.ts'

export type House = AsyncDisposable & {
  /** Where each listener really listens, for the ready line and for tests. */
  api: string | undefined
  dns: readonly string[]
  smtp: readonly string[]
  firstKeyFile: string | undefined
  store: StoreContext
  worlds: ReadonlyMap<WorldName, World>
}

export type HouseOptions = {
  config: Config
  logger: Logger
  /** Settings of the embedded Postgres, for tests. */
  postgresSettings?: Readonly<Record<string, string>>
  signal?: AbortSignal
}

/** Starts what the settings ask for. Throws, with nothing left running, when a part cannot start. */
export async function openHouse(options: HouseOptions): Promise<House> {
  const { config, logger } = options
  const has = (role: Role) => config.roles.includes(role)
  const onError = (error: unknown) => logger.error({ err: error }, 'trouble')
  await using opened = new AsyncDisposableStack()
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })

  const store = await openStore(options, opened, onError)
  await ensureWorkspace(store, FIRST_WORKSPACE, 'First workspace')
  const firstKeyFile = await firstKey(store, config)

  const live = liveObstacles(config)
  const isWhole = (['api', 'worker', 'dns', 'smtp'] as const).every(has)
  const nameserver = has('dns')
    ? opened.use(await openNameserver(store, config, live.isConfigured, onError))
    : undefined
  const tls = await keptCertificate(config.dataDir, config.mailHost)
  const sandbox =
    isWhole && !config.laboratory && nameserver
      ? await openSandbox({ store, config, tls, nameserver, opened, onError })
      : undefined

  const worlds = new Map<WorldName, World>()
  if (live.isConfigured) worlds.set('live', liveWorld(config))
  if (sandbox) worlds.set('sandbox', sandbox.world)
  const ports = new Map(
    [...worlds].map(([name, world]) => [
      name,
      buildPorts(
        store,
        world,
        name === 'sandbox' && sandbox ? sandbox.misbehaviour : MISBEHAVES_NOT,
      ),
    ]),
  )

  const smtp = has('smtp') ? await openInbound(store, config, tls, worlds, opened, onError) : []
  sandbox?.setInboundPorts(smtp)
  if (has('worker')) startWorkers(store, config, worlds, ports, opened, onError)
  const api = has('api') ? await openApi(options, store, ports, sandbox, live, opened) : undefined
  if (has('api')) await openAdmin(options, store, opened)

  const closing = opened.move()
  return {
    api,
    dns: nameserver?.listeners.map(writeEndpoint) ?? [],
    smtp: smtp.map(writeEndpoint),
    firstKeyFile,
    store,
    worlds,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

async function openStore(
  { config, logger, postgresSettings, signal }: HouseOptions,
  opened: AsyncDisposableStack,
  onError: (error: unknown) => void,
): Promise<StoreContext> {
  const connection =
    config.databaseUrl !== ''
      ? { connectionString: config.databaseUrl }
      : opened.use(
          await startPostgres({
            dataDir: join(config.dataDir, 'postgres'),
            onLog: (line) => logger.debug({ postgres: line }, 'postgres says'),
            ...(postgresSettings ? { settings: postgresSettings } : {}),
            ...(signal ? { signal } : {}),
          }),
        ).connection
  const db = openDatabase(connection, { onError })
  opened.defer(() => db.destroy())
  await migrate(db)
  const doorbell: Doorbell = opened.use(await openDoorbell(db, connection, onError))
  const key =
    config.secretKey ??
    (await keptSecretKey(config.dataDir, (path) => {
      logger.warn({ path }, 'made the key that encrypts secrets; keep a copy of it elsewhere')
    }))
  return { db, doorbell, vault: openVault(key) }
}

/** With no key at all, the first start makes a test key, in a file. */
async function firstKey(store: StoreContext, config: Config): Promise<string | undefined> {
  if (config.bootstrapKey !== undefined || (await hasApiKeys(store))) return undefined
  const wanted = {
    workspaceId: FIRST_WORKSPACE,
    world: 'sandbox' as const,
    name: 'first test key',
    scopes: ['*'],
  }
  return keptFirstKey(config.dataDir, async () => (await createApiKey(store, wanted)).key)
}

function openNameserver(
  store: StoreContext,
  config: Config,
  isLive: boolean,
  onError: (error: unknown) => void,
): Promise<Nameserver> {
  return startNameserver({
    listen: config.dnsListen,
    platform: isLive ? platformZones(livePlatform(config)) : [],
    feed: {
      changed: (mark) => changedNames(store.db, mark),
      read: (names) => readServedNames(store.db, names),
      onChange: (heard) => store.doorbell.on(TOPICS.servedNames, heard),
      wake: (ids) => wakeForQuery(store, ids),
    },
    onError,
  })
}

async function openInbound(
  store: StoreContext,
  config: Config,
  tls: { key: string; cert: string },
  worlds: ReadonlyMap<WorldName, World>,
  opened: AsyncDisposableStack,
  onError: (error: unknown) => void,
) {
  const receiving: ReceiveOptions = {
    book: {
      mailDomain: (domain, localpart) => findMailDomain(store.db, domain, localpart),
      isProbe: (recipient) => isProbeRecipient(store, recipient),
      keep: (message) => keepMessage(store, message),
      judgeProbe: (recipient, authentication) => judgeProbe(store, recipient, authentication),
    },
    worlds: [...worlds.values()].map(({ name, platform, resolver }) => ({
      name,
      resolver,
      probeHost: platform.probeHost,
      mailHost: platform.mailHost,
    })),
  }
  const listen = [...config.smtpListen]
  // The sandbox connects to loopback only.
  if (worlds.has('sandbox') && !listen.some(({ address }) => address === '127.0.0.1')) {
    listen.push({ address: '127.0.0.1', port: 0 })
  }
  const listeners = []
  for (const { address, port } of listen) {
    listeners.push(
      opened.use(
        await listenInbound({
          address,
          port,
          tls,
          onError,
          host: config.mailHost,
          recipient: (recipient) => judgeRecipient(recipient, receiving),
          deliver: (message, signal) => receive(message, receiving, signal),
        }),
      ),
    )
  }
  return listeners
}

/** How many domains and messages one process works on at once. */
const DOMAINS_AT_ONCE = 32
const DELIVERIES_AT_ONCE = 20
const PASS_LIMIT_MS = 60_000
const STOCK_EVERY_MS = 15_000

function startWorkers(
  store: StoreContext,
  config: Config,
  worlds: ReadonlyMap<WorldName, World>,
  ports: ReadonlyMap<WorldName, Ports>,
  opened: AsyncDisposableStack,
  onError: (error: unknown) => void,
): void {
  const { db, doorbell } = store
  opened.use(
    startWorker({
      db,
      doorbell,
      onError,
      table: 'domains',
      topic: TOPICS.domainsDue,
      atOnce: DOMAINS_AT_ONCE,
      passLimitMs: PASS_LIMIT_MS,
      work: (row, signal) =>
        domainPass(row, (taken) => loadForPass(store, taken, (world) => ports.get(world)), signal),
    }),
  )
  opened.use(
    startWorker({
      db,
      doorbell,
      onError,
      table: 'deliveries',
      topic: TOPICS.deliveriesDue,
      atOnce: DELIVERIES_AT_ONCE,
      passLimitMs: PASS_LIMIT_MS * 2,
      work: (row, signal) =>
        deliveryPass(
          row,
          {
            async load(taken) {
              const delivery = await loadDelivery(store, taken)
              const world = delivery && worlds.get(delivery.world)
              return world && { ...delivery, options: deliverOptions(world, config) }
            },
            note: (taken, result) => noteAttempt(store, taken, result),
          },
          () => new Date(),
          signal,
        ),
    }),
  )
  const stop = new AbortController()
  let stocking = Promise.resolve()
  const stock = () => {
    stocking = stocking.then(() => stockKeyPairs(store, stop.signal)).catch(onError)
  }
  stock()
  const timer = setInterval(stock, STOCK_EVERY_MS)
  opened.defer(async () => {
    clearInterval(timer)
    stop.abort()
    await stocking
  })
}

export function deliverOptions(world: World, config: Config): DeliverOptions {
  return {
    resolver: world.resolver,
    mailHost: world.platform.mailHost,
    smtpPort: world.smtpPort,
    mayConnect: world.mayConnect,
    sourceAddresses: world.name === 'live' ? config.smtpSourceAddresses : [],
    smarthost: world.name === 'live' ? config.smarthost : undefined,
  }
}

async function openApi(
  { config, logger }: HouseOptions,
  store: StoreContext,
  ports: ReadonlyMap<WorldName, Ports>,
  sandbox: Sandbox | undefined,
  live: ReturnType<typeof liveObstacles>,
  opened: AsyncDisposableStack,
): Promise<string> {
  const authorize = keyChecker({
    find: (key) => findApiKey(store, key),
    bootstrap: bootstrapOf(config),
    closed(world) {
      if (world === 'sandbox') return sandbox ? undefined : { code: 'sandbox_off' }
      if (!live.isConfigured) return { code: 'live_not_configured' }
      return live.obstacles.length > 0
        ? { code: 'installation_not_ready', fields: { obstacles: live.obstacles } }
        : undefined
    },
  })
  const api = opened.use(
    await startApi({
      logger,
      listen: config.httpListen,
      isOurHost: hostCheck(config),
      isDatabaseAway,
      context: {
        store,
        authorize,
        nameRules: (world) => nameRules(config, world, sandbox),
        limits: {
          pendingClaimsPerName: config.pendingClaimsPerName,
          addsPerNamePerHour: config.addsPerName,
        },
        drivers: {
          zone: config.zoneDriver,
          sender: config.senderDriver,
          mailbox: config.mailboxDriver,
        },
        sender: (world) => ports.get(world)!.sender,
        waitMs: config.handlerWaitMs,
        now: () => new Date(),
      },
      sandbox: sandbox?.api(authorize),
      health: { database: () => pingDatabase(store.db) },
    }),
  )
  return `http://${writeEndpoint(api)}`
}

function bootstrapOf({ bootstrapKey: key }: Config) {
  if (key === undefined) return undefined
  const world: WorldName = key.startsWith('ms_live_') ? 'live' : 'sandbox'
  return { key, as: { keyId: FIRST_WORKSPACE, workspaceId: FIRST_WORKSPACE, world, scopes: ['*'] } }
}

function nameRules(config: Config, world: WorldName, sandbox: Sandbox | undefined) {
  const platform = livePlatform(config)
  const own = [platform.nameserverZone, platform.mailHost, platform.probeHost]
  return {
    sandbox: world === 'sandbox',
    laboratory: config.laboratory,
    platform: world === 'sandbox' ? (sandbox?.reserved ?? []) : own,
  }
}

/** Requests for other hosts are refused: a page elsewhere must not reach us under a name of its own. */
function hostCheck({ httpListen, httpHosts }: Config): (host: string) => boolean {
  const known = new Set([
    'localhost',
    '127.0.0.1',
    '::1',
    httpListen.address,
    ...httpHosts.map((host) => host.toLowerCase()),
  ])
  return (host) => known.has(host) || (isLoopback(httpListen.address) && isLoopback(host))
}

async function openAdmin(
  { config, logger }: HouseOptions,
  store: StoreContext,
  opened: AsyncDisposableStack,
): Promise<void> {
  const path = adminSocketPath(config.dataDir)
  await makeAdminDirectory(path)
  opened.use(await startAdmin({ path, store, logger, isDatabaseAway }))
}
