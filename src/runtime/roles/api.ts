import { startAdmin } from '#api/admin/admin.ts'
import { keyChecker } from '#api/http/auth.ts'
import type { ApiContext, LogInServers } from '#api/http/context.ts'
import type { ProblemCode } from '#api/http/problems.ts'
import { startApi } from '#api/http/server.ts'
import { startUnavailableApi } from '#api/http/unavailable-api.ts'
import { adminSocketPath, makeAdminDirectory } from '#config/admin-socket.ts'
import type { Config } from '#config/settings.ts'
import { tryLogIns } from '#mail/elsewhere/log-in.ts'
import type { ElsewhereRules } from '#mail/elsewhere/servers.ts'
import type { MailWorkers } from '#mail/workers/mail-workers.ts'
import { ancestorsOf } from '#names/domain-name.ts'
import { type Endpoint, isLoopback, writeEndpoint } from '#names/ip.ts'
import { BOOTSTRAP_KEY_ID, FIRST_WORKSPACE, findApiKey } from '#store/api-keys.ts'
import type { AccountCandidates } from '#store/choose-accounts.ts'
import { isDatabaseAway } from '#store/database.ts'
import { accountsOfDomain, type PortsOf } from '#store/domain-passes.ts'
import { DOVECOT } from '#store/mailbox-copies.ts'
import type { RateLimits } from '#store/request-counts.ts'
import type { WorldName } from '#store/tables.ts'
import type { World, Worlds } from '../../world.ts'
import { type Accounts, hasDovecot } from '../accounts.ts'
import type { BareRuntime, Runtime } from '../context.ts'
import type { Health } from '../health.ts'
import { recordKeyUses } from '../key-uses.ts'
import { deleteExpired } from '../retention.ts'
import type { Sandbox } from '../sandbox.ts'
import { type LiveState, livePlatform } from '../worlds.ts'
import { redirectAddresses } from './redirect.ts'
import type { SubmissionListeners } from './submission.ts'

export type ApiParts = {
  ports: PortsOf
  accounts: Record<WorldName, Accounts>
  sandbox: Sandbox | undefined
  /** For messages to be read: strangers wrote them. */
  workers: MailWorkers
  /** Where this process, or another, takes mail from mail programs. */
  submission: SubmissionListeners
  /** Where this process, or another, shows mailboxes by IMAP. */
  imap: readonly Endpoint[]
  worlds: Worlds
  live: LiveState
  health: Health
}

/** The `api` role: the public API, the sandbox's, and the admin socket. Returns the API's URL. */
export async function openApi(runtime: Runtime, parts: ApiParts): Promise<string> {
  const { config, logger, store, opened, onError } = runtime
  const { health, sandbox } = parts
  const uses = opened.use(recordKeyUses(store, onError))
  const { authorize, identify, forget } = keyChecker({
    used: ({ keyId }) => uses.record(keyId),
    find: (key) => findApiKey(store, key),
    bootstrap: bootstrapOf(config),
    closed: (world) => whyClosed(world, parts),
  })
  const api = await startApi({
    logger,
    listen: config.httpListen,
    isOurHost: hostCheck(config),
    isDatabaseAway,
    context: { store, authorize, identify, forgetKeys: forget, ...contextOf(config, parts) },
    addRoutes: sandbox && ((app) => sandbox.addRoutes(app, authorize)),
    health,
  })
  opened.use(api)
  opened.use(deleteExpired(store, config.mailDays, onError))
  await openAdmin(runtime)
  return `http://${writeEndpoint(api)}`
}

/** Answers requests while the process waits for Postgres. */
export const openUnavailableApi = ({ config }: BareRuntime): Promise<AsyncDisposable> =>
  startUnavailableApi(config.httpListen)

type OwnContext = Omit<ApiContext, 'store' | 'authorize' | 'identify' | 'forgetKeys'>

function contextOf(config: Config, parts: ApiParts): OwnContext {
  return {
    nameRules: (world) => ({
      sandbox: world === 'sandbox',
      laboratory: config.laboratory,
      platform: ownNames(world, config, parts),
    }),
    hasRedirects: (row) =>
      parts.ports(row.world, accountsOfDomain(row))!.zone.redirects !== undefined ||
      redirectAddresses(row.world, config).length > 0,
    limits: {
      pendingClaimsPerName: config.pendingClaimsPerName,
      addsPerNamePerHour: config.addsPerName,
    },
    accounts: (world) => knownAccounts(config, parts.accounts[world]),
    defaults: (world) => defaultAccounts(config, parts.accounts[world]),
    senderEvents: (account) =>
      Object.values(parts.accounts).flatMap(({ senders }) => senders.get(account)?.events ?? [])[0],
    zoneHost: (world, accounts) => parts.ports(world, accounts)!.zone,
    sender: (row) => parts.ports(row.world, accountsOfDomain(row))!.sender,
    mailbox: (row) => parts.ports(row.world, accountsOfDomain(row))!.mailbox,
    rates: ratesOf(config),
    maxKeys: config.keysPerWorkspace,
    logInServers: (world, mailbox) => logInServers(world, mailbox, config, parts),
    publicUrl: config.publicUrl,
    mail: parts.workers,
    tryLogIns: (world, account) =>
      tryLogIns(
        account,
        elsewhereRules(parts.worlds.get(world)!),
        AbortSignal.timeout(LOG_INS_LIMIT_MS),
      ),
    archivedMailDays: config.archivedMailDays,
    waitMs: config.handlerWaitMs,
    now: () => new Date(),
  }
}

/** Both log-ins have limits of their own. */
const LOG_INS_LIMIT_MS = 30_000

const elsewhereRules = ({ name, resolver, mayConnect, platform }: World): ElsewhereRules => ({
  resolver,
  mayConnect,
  isStrict: name === 'live',
  mailHost: platform.mailHost,
})

/** In the sandbox, whose mail host has no address elsewhere, at the address that the server listens at. */
function logInServers(
  world: WorldName,
  mailbox: string,
  { mailHost }: Config,
  { submission: { implicitTls, startTls }, imap }: ApiParts,
): LogInServers | undefined {
  const [listener] = [...implicitTls, ...startTls]
  if (!listener) return undefined
  const tls = implicitTls.length > 0 ? ('implicit' as const) : ('starttls' as const)
  const at = ({ address, port }: Endpoint) => ({
    host: world === 'sandbox' ? address : mailHost,
    port,
  })
  const [shown] = mailbox === DOVECOT ? imap : []
  return {
    imap: shown ? { ...at(shown), tls: 'implicit' } : null,
    smtp: { ...at(listener), tls },
  }
}

/** A workspace's default limit allows this many busy keys. */
const BUSY_KEYS = 5

function ratesOf(config: Config): RateLimits {
  const key = { perMinute: config.rateLimitPerMinute, perHour: config.rateLimitPerHour }
  const workspace = {
    perMinute: config.workspaceRateLimitPerMinute ?? BUSY_KEYS * key.perMinute,
    perHour: config.workspaceRateLimitPerHour ?? BUSY_KEYS * key.perHour,
  }
  return { key, workspace }
}

function knownAccounts(config: Config, { zones, senders, mailboxes }: Accounts): AccountCandidates {
  const named = (accounts: ReadonlyMap<string, unknown>) => ['embedded', ...accounts.keys()]
  return {
    zone: named(zones),
    sender: named(senders),
    mailbox: [...named(mailboxes), ...(hasDovecot(config) ? [DOVECOT] : [])],
  }
}

/** The configured accounts of this world; `embedded` for a service without any. */
function defaultAccounts(config: Config, accounts: Accounts): AccountCandidates {
  const known = knownAccounts(config, accounts)
  const among = (names: readonly string[], service: keyof AccountCandidates) => {
    const here = names.filter((name) => known[service].includes(name))
    return here.length > 0 ? here : ['embedded']
  }
  return {
    zone: among(config.zoneDriver, 'zone'),
    sender: among(config.senderDriver, 'sender'),
    mailbox: among(config.mailboxDriver, 'mailbox'),
  }
}

/** The platform's own names. The API refuses claims on them: their holder could answer for us. */
function ownNames(world: WorldName, config: Config, parts: ApiParts): readonly string[] {
  const zones = [...parts.accounts[world].zones.values()].flatMap(({ pool }) => pool ?? [])
  const pools = new Set(zones.flatMap(({ name }) => ancestorsOf(name)[0] ?? []))
  if (world === 'sandbox') return [...(parts.sandbox?.reserved ?? []), ...pools]
  const { nameserverZone, mailHost, probeHost } = livePlatform(config)
  return [nameserverZone, mailHost, probeHost, ...hostsOf(config), ...pools]
}

function whyClosed(
  world: WorldName,
  { sandbox, live }: ApiParts,
): { code: ProblemCode; fields?: Record<string, unknown> } | undefined {
  if (world === 'sandbox') return sandbox ? undefined : { code: 'sandbox_off' }
  if (!live.isConfigured) return { code: 'live_not_configured' }
  if (live.obstacles.length === 0) return undefined
  return { code: 'installation_not_ready', fields: { obstacles: live.obstacles } }
}

function bootstrapOf({ bootstrapKey: key }: Config) {
  if (key === undefined) return undefined
  const world: WorldName = key.startsWith('ms_live_') ? 'live' : 'sandbox'
  const as = { keyId: BOOTSTRAP_KEY_ID, workspaceId: FIRST_WORKSPACE, world, scopes: ['*'] }
  return { key, as }
}

/** The host names of the API. */
const hostsOf = ({ httpHosts, publicUrl }: Config): readonly string[] =>
  publicUrl === undefined ? httpHosts : [...httpHosts, new URL(publicUrl).hostname]

/** Other hosts are refused: a foreign page must not reach us under its own name. */
function hostCheck(config: Config): (host: string) => boolean {
  const { httpListen } = config
  const known = new Set(['localhost', '127.0.0.1', '::1', httpListen.address, ...hostsOf(config)])
  return (host) => known.has(host) || (isLoopback(httpListen.address) && isLoopback(host))
}

async function openAdmin({ config, logger, store, opened }: Runtime): Promise<void> {
  const path = adminSocketPath(config.dataDir)
  await makeAdminDirectory(path)
  opened.use(await startAdmin({ path, store, logger, isDatabaseAway }))
}
