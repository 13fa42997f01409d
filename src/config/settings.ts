/** Every setting: its name, unit, default and text. The only reader of the environment. */
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parseTsigKey, type TsigKey } from '#dns/tsig.ts'
import { parseDomainName } from '#names/domain-name.ts'
import { type Endpoint, isLoopback, parseEndpoint } from '#names/ip.ts'

type Setting<T> = {
  readonly name: string
  readonly unit: string
  readonly fallback: string
  readonly sentence: string
  readonly secret?: true
  parse(written: string): T
}

// biome-ignore format: a table
export const SETTINGS = {
  databaseUrl: setting('DATABASE_URL', 'URL', '', 'A Postgres server, 15 or later; if not set, one is started in the data directory.', text, 'secret'),
  dataDir: setting('MAILSTEAD_DATA_DIR', 'path', './data', 'Where the embedded database, keys and sockets are.', (written) => resolve(written)),
  roles: setting('MAILSTEAD_ROLES', 'names', 'api,worker,dns,smtp,redirect', 'The roles of this process; the option --role does the same, once for each role.', roles),
  httpListen: setting('MAILSTEAD_HTTP_LISTEN', 'address:port', '127.0.0.1:8080', 'Where the API listens.', oneEndpoint),
  httpHosts: setting('MAILSTEAD_HTTP_HOSTS', 'host names', '', 'Further host names of the API; a request for any other Host is refused.', (written) => list(written.toLowerCase())),
  publicUrl: setting('MAILSTEAD_PUBLIC_URL', 'https URL', '', 'Where recipients of mail reach the API over HTTPS, without a path: links in messages begin with it. Its host name is one of the API.', publicUrl),
  dnsListen: setting('MAILSTEAD_DNS_LISTEN', 'address:port, …', '127.0.0.1:5300', 'Where the authoritative nameserver listens, over UDP and TCP at each address.', endpoints(53)),
  dnsRateLimit: setting('MAILSTEAD_DNS_RATE_LIMIT', 'replies a second', '200', 'How many replies one prefix, a /24 or a /56, gets over UDP about the same name; a quarter as many errors; 0 for no limit. Loopback has no limit.', count(0, 1_000_000)),
  dnsSockets: setting('MAILSTEAD_DNS_SOCKETS', 'auto, batched or dgram', 'auto', "How UDP packets are read: many in one system call (Linux on x64 and arm64), or one by one through Node's own sockets.", dnsSockets),
  smtpListen: setting('MAILSTEAD_SMTP_LISTEN', 'address:port, …', '127.0.0.1:2525', 'Where mail is received.', endpoints(25)),
  submissionListen: setting('MAILSTEAD_SUBMISSION_LISTEN', 'address:port, …', '127.0.0.1:2587', 'Where mail programs hand in mail, with STARTTLS.', endpoints(587)),
  submissionsListen: setting('MAILSTEAD_SUBMISSIONS_LISTEN', 'address:port, …', '127.0.0.1:2465', 'Where mail programs hand in mail, with TLS from the start.', endpoints(465)),
  imapsListen: setting('MAILSTEAD_IMAPS_LISTEN', 'address:port, …', '127.0.0.1:2993', 'Where mail programs read mail by IMAP, with TLS from the start; used only with the mailbox service `dovecot`.', endpoints(993)),
  nameserverZone: setting('MAILSTEAD_NAMESERVER_ZONE', 'domain name', 'ns.mailstead.test', "The parent of the nameserver pool's names.", hostName),
  nameserverAddresses: setting('MAILSTEAD_NAMESERVER_ADDRESSES', 'addresses', '', "The addresses of the pool's names; the DNS listen addresses by default.", addresses),
  mailHost: setting('MAILSTEAD_MAIL_HOST', 'host name', 'mx.mailstead.test', 'The host that MX records point to, and our name in EHLO.', hostName),
  tlsCert: setting('MAILSTEAD_TLS_CERT', 'path', '', "The mail host's certificate with its chain, in PEM, for STARTTLS, submission and IMAP; self-signed by default. The file is read again when it changes.", (written) => written && resolve(written)),
  tlsKey: setting('MAILSTEAD_TLS_KEY', 'path', '', 'The private key of that certificate, in PEM.', (written) => written && resolve(written)),
  mailHostAddresses: setting('MAILSTEAD_MAIL_HOST_ADDRESSES', 'addresses', '', "The mail host's addresses; the SMTP listen addresses by default.", addresses),
  smtpSourceAddresses: setting('MAILSTEAD_SMTP_SOURCE_ADDRESSES', 'addresses', '', 'Local addresses from which outgoing mail is sent; receivers check SPF and PTR against them.', addresses),
  smarthost: setting('MAILSTEAD_SMARTHOST', 'smtp[s]://user:password@host:port', '', 'The host that gets all outgoing mail, instead of the MX of the recipient.', smarthost, 'secret'),
  redirectListen: setting('MAILSTEAD_REDIRECT_LISTEN', 'address:port, …', '', 'Where the web server for redirects listens; if not set, there are redirects only in the sandbox, and at zone hosts that redirect visitors themselves.', endpoints(80)),
  redirectAddresses: setting('MAILSTEAD_REDIRECT_ADDRESSES', 'addresses', '', 'The addresses in the records of redirected domains; the redirect listen addresses by default.', addresses),
  healthListen: setting('MAILSTEAD_HEALTH_LISTEN', 'address:port, …', '', 'Where `/healthz` and `/readyz` are answered, for every role and for any Host.', endpoints(8081)),
  rootHints: setting('MAILSTEAD_ROOT_HINTS', 'ip[:port], …', '', "Addresses of root servers; the internet's by default.", endpoints(53)),
  resolvers: setting('MAILSTEAD_RESOLVERS', 'ip[:port], …', '', "Recursive resolvers for the MX look-ups of outgoing mail and the checks of incoming mail; the system's by default.", endpoints(53)),
  secondaries: setting('MAILSTEAD_SECONDARIES', 'ip[:port], …', '', 'Secondary nameservers that get a NOTIFY when a zone changes.', endpoints(53)),
  transferKeys: setting('MAILSTEAD_TRANSFER_KEYS', 'name:algorithm:secret, …', '', 'One or two TSIG keys, the secret in base64: clients that sign with one may transfer zones. The first signs NOTIFY.', transferKeys, 'secret'),
  transferAddresses: setting('MAILSTEAD_TRANSFER_ADDRESSES', 'addresses', '', 'Addresses that may transfer zones without a key.', addresses),
  catalogZone: setting('MAILSTEAD_CATALOG_ZONE', 'domain name', '', 'The catalog zone that lists all live zones for secondaries; if not set, there is none.', catalogZone),
  laboratory: setting('MAILSTEAD_LABORATORY', 'true or false', 'false', 'Live mode on private addresses and special-use names; the sandbox is off.', truth),
  bootstrapKey: setting('MAILSTEAD_BOOTSTRAP_KEY', 'API key', '', 'A key with all scopes that always exists; its prefix selects sandbox or live.', bootstrapKey, 'secret'),
  secretKey: setting('MAILSTEAD_SECRET_KEY', '32 octets, base64', '', 'Encrypts secrets; created in the data directory at the first start if not set.', secretKey, 'secret'),
  accountsFile: setting('MAILSTEAD_ACCOUNTS', 'path', '', 'A JSON file with the accounts at outside services; only its owner may be able to read it.', (written) => written && resolve(written)),
  zoneDriver: setting('MAILSTEAD_ZONE_DRIVER', 'accounts', 'embedded', 'The zone host of new domains: `embedded` or accounts; of several, the one with the fewest domains is used.', accountNames),
  senderDriver: setting('MAILSTEAD_SENDER_DRIVER', 'accounts', 'embedded', 'The sender service of new domains, in the same way.', accountNames),
  mailboxDriver: setting('MAILSTEAD_MAILBOX_DRIVER', 'accounts', 'embedded', 'The mailbox service of new domains, in the same way; `dovecot` is the embedded one with IMAP.', accountNames),
  receivesMail: setting('MAILSTEAD_RECEIVES_MAIL', 'true or false', 'true', 'Whether mail from outside reaches this installation; if not, no probe can prove a domain.', truth),
  parentQueriesPerSecond: setting('MAILSTEAD_PARENT_QUERIES_PER_SECOND', 'questions a second', '20', "How many queries a second one foreign nameserver gets from all processes together; our own nameservers and the sandbox's have no limit.", count(1, 10_000)),
  pendingClaimsPerName: setting('MAILSTEAD_PENDING_CLAIMS_PER_NAME', 'claims', '16', 'How many claims on one name may wait for their delegation, in all workspaces; claims that failed or are older than a week do not count.', count(1, 1000)),
  addsPerName: setting('MAILSTEAD_ADDS_PER_NAME_PER_HOUR', 'adds an hour', '20', 'How often a workspace may add the same name.', count(1, 10_000)),
  rateLimitPerMinute: setting('MAILSTEAD_RATE_LIMIT_PER_MINUTE', 'requests a minute', '100', 'How many requests an API key may make within a minute; 0 for no limit.', count(0, 1_000_000)),
  rateLimitPerHour: setting('MAILSTEAD_RATE_LIMIT_PER_HOUR', 'requests an hour', '1000', 'How many requests an API key may make within an hour; 0 for no limit.', count(0, 100_000_000)),
  workspaceRateLimitPerMinute: setting('MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_MINUTE', 'requests a minute', '', 'How many requests all API keys of a workspace together may make within a minute, in each world; 0 for no limit. Five times the limit of a key by default.', optionalCount(0, 10_000_000)),
  workspaceRateLimitPerHour: setting('MAILSTEAD_WORKSPACE_RATE_LIMIT_PER_HOUR', 'requests an hour', '', 'How many requests they may make within an hour; 0 for no limit. Five times the limit of a key by default.', optionalCount(0, 1_000_000_000)),
  keysPerWorkspace: setting('MAILSTEAD_KEYS_PER_WORKSPACE', 'keys', '100', 'How many valid API keys a workspace may have in each world. Keys made at the command line count, but are never refused.', count(1, 100_000)),
  sendLimitPerWorkspace: setting('MAILSTEAD_SEND_LIMIT_PER_WORKSPACE', 'messages in any 24 hours', '0', 'How many messages a workspace may send; 0 for no limit. Each inbox also has its own limit.', count(0, 100_000_000)),
  sendLimit: setting('MAILSTEAD_SEND_LIMIT', 'messages in any 24 hours', '0', 'How many messages the installation may send; 0 for no limit.', count(0, 1_000_000_000)),
  sendLimitPerNewWorkspace: setting('MAILSTEAD_SEND_LIMIT_PER_NEW_WORKSPACE', 'messages in any 24 hours', '0', 'How many messages a new workspace may send; 0 for no limit of its own.', count(0, 100_000_000)),
  newWorkspaceDays: setting('MAILSTEAD_NEW_WORKSPACE_DAYS', 'days', '14', 'How long a workspace counts as new for that limit.', count(1, 3650)),
  mailDays: setting('MAILSTEAD_MAIL_DAYS', 'days', '0', 'How long received messages are kept; 0 for as long as their domain exists.', count(0, 36_500)),
  archivedMailDays: setting('MAILSTEAD_ARCHIVED_MAIL_DAYS', 'days', '90', 'How long the mail of a removed domain is kept.', count(0, 36_500)),
  quotaPerInboxMb: setting('MAILSTEAD_QUOTA_PER_INBOX_MB', 'MiB', '0', 'How much mail an inbox may hold; a full inbox refuses mail with 452. 0 for no limit.', count(0, 100_000_000)),
  quotaPerDomainMb: setting('MAILSTEAD_QUOTA_PER_DOMAIN_MB', 'MiB', '0', 'How much mail the inboxes of a domain may hold together; 0 for no limit.', count(0, 100_000_000)),
  quotaPerWorkspaceMb: setting('MAILSTEAD_QUOTA_PER_WORKSPACE_MB', 'MiB', '0', 'How much mail the inboxes of a workspace may hold together; 0 for no limit.', count(0, 100_000_000)),
  leastFreeSpaceMb: setting('MAILSTEAD_LEAST_FREE_SPACE_MB', 'MiB', '256', 'With less free space than this on the disk of the data directory, all mail is refused with 452. Checked only with the embedded Postgres.', count(0, 100_000_000)),
  handlerWaitMs: setting('MAILSTEAD_WAIT_MS', 'milliseconds', '10000', 'How long an API call may wait for the worker before it answers with what is known.', count(0, 30_000)),
  dkimRotationDays: setting('MAILSTEAD_DKIM_ROTATION_DAYS', 'days', '90', 'How long a DKIM key of the embedded sender signs before the next replaces it; 0 for no rotation.', count(0, 3650)),
  logLevel: setting('MAILSTEAD_LOG_LEVEL', 'level', 'info', 'The least severe line that is logged: debug, info, warn or error.', logLevel),
} as const

export type Config = {
  readonly [K in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[K]['parse']>
}

/** The errors in the settings, a line for each. Never contains the value of a secret setting. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Reads all settings; throws a `ConfigError` that names every error. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const wrong: string[] = []
  const entries = Object.entries(SETTINGS).map(([key, setting]) => [
    key,
    readSetting(setting, env, wrong),
  ])
  if (wrong.length > 0) throw new ConfigError(wrong.join('\n'))
  const config = Object.fromEntries(entries) as Config
  checkTogether(config)
  return config
}

function readSetting(
  setting: Setting<unknown>,
  env: Readonly<Record<string, string | undefined>>,
  wrong: string[],
) {
  const written = env[setting.name] ?? ''
  try {
    return setting.parse(written === '' ? setting.fallback : written)
  } catch (error) {
    const shown = setting.secret ? '' : ` (it is ${JSON.stringify(written)})`
    wrong.push(`${setting.name}${shown}: ${error instanceof Error ? error.message : error}`)
    return undefined
  }
}

/** The value and origin of each setting, without secrets: `mailstead config` prints it. */
export function explainConfig(env: Readonly<Record<string, string | undefined>>) {
  return Object.values(SETTINGS as Record<string, Setting<unknown>>).map(
    ({ name, unit, fallback, sentence, secret }) => {
      const written = env[name] ?? ''
      const value = written === '' ? fallback : written
      return {
        name,
        unit,
        sentence,
        origin: written === '' ? 'default' : 'environment',
        value: secret && value !== '' ? '(hidden)' : value,
      }
    },
  )
}

function checkTogether(config: Config): void {
  if (!config.laboratory) return
  const listeners = [
    config.httpListen,
    ...config.dnsListen,
    ...config.smtpListen,
    ...config.submissionListen,
    ...config.submissionsListen,
    ...config.imapsListen,
    ...config.redirectListen,
    ...config.healthListen,
  ]
  const open = listeners.find(({ address }) => !isLoopback(address))
  if (open)
    throw new ConfigError(
      `MAILSTEAD_LABORATORY: a laboratory must not listen at ${open.address}, which is not loopback.`,
    )
}

function setting<T>(
  name: string,
  unit: string,
  fallback: string,
  sentence: string,
  parse: (written: string) => T,
  secret?: 'secret',
): Setting<T> {
  return { name, unit, fallback, sentence, parse, ...(secret ? { secret: true as const } : {}) }
}

function text(written: string): string {
  return written
}

function list(written: string): readonly string[] {
  return written
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
}

function hostName(written: string): string {
  const parsed = parseDomainName(written)
  if ('refusal' in parsed) throw new Error(parsed.refusal.message)
  return parsed.name
}

function endpoints(defaultPort: number) {
  return (written: string): readonly Endpoint[] =>
    list(written).map((part) => {
      const endpoint = parseEndpoint(part, defaultPort)
      if (!endpoint) throw new Error(`${part} is not an address with a port`)
      return endpoint
    })
}

function oneEndpoint(written: string): Endpoint {
  const [endpoint, ...more] = endpoints(8080)(written)
  if (!endpoint || more.length > 0) throw new Error('must be one address and port')
  return endpoint
}

/** RFC 8058 section 3.1: a link to unsubscribe is HTTPS. */
function publicUrl(written: string): string | undefined {
  if (written === '') return undefined
  const url = URL.parse(written)
  const isOrigin = url?.protocol === 'https:' && url.href === `${url.origin}/`
  if (!isOrigin) throw new Error('must be https://host or https://host:port')
  return url.origin
}

function transferKeys(written: string): readonly TsigKey[] {
  const keys = list(written).map(parseTsigKey)
  if (keys.length > 2)
    throw new Error('must be at most two keys, the second during a change of keys')
  if (new Set(keys.map(({ name }) => name)).size < keys.length)
    throw new Error('must not name two keys alike')
  return keys
}

/** Member names put two labels and `zones` before it, and a name has at most 255 octets. */
const MAX_CATALOG_LENGTH = 180

function catalogZone(written: string): string | undefined {
  if (written === '') return undefined
  if (written.length > MAX_CATALOG_LENGTH)
    throw new Error(`must have at most ${MAX_CATALOG_LENGTH} characters`)
  return hostName(written)
}

function addresses(written: string): readonly string[] {
  const wrong = list(written).find((part) => isIP(part) === 0)
  if (wrong) throw new Error(`${wrong} is not an address`)
  return list(written)
}

function truth(written: string): boolean {
  if (written !== 'true' && written !== 'false') throw new Error('must be true or false')
  return written === 'true'
}

function count(low: number, high: number) {
  return (written: string): number => {
    const number = /^\d{1,15}$/.test(written) ? Number(written) : Number.NaN
    if (!Number.isInteger(number) || number < low || number > high)
      throw new Error(`must be a whole number from ${low} to ${high}`)
    return number
  }
}

/** Undefined if the variable is not set. */
function optionalCount(low: number, high: number) {
  const parse = count(low, high)
  return (written: string): number | undefined => (written === '' ? undefined : parse(written))
}

const ROLES = ['api', 'worker', 'dns', 'smtp', 'redirect'] as const
export type Role = (typeof ROLES)[number]

function roles(written: string): readonly Role[] {
  if (list(written).length === 0)
    throw new Error(`must name at least one role of ${ROLES.join(', ')}`)
  return list(written).map((name) => {
    const role = ROLES.find((known) => known === name)
    if (!role) throw new Error(`there is no role ${name}; there are ${ROLES.join(', ')}`)
    return role
  })
}

function smarthost(written: string) {
  if (written === '') return undefined
  const url = URL.parse(written)
  const isWhole = url?.hostname && /^\/?$/.test(url.pathname) && url.search === ''
  if (!isWhole || !['smtp:', 'smtps:'].includes(url.protocol))
    throw new Error('must be smtp[s]://user:password@host:port')
  const secure = url.protocol === 'smtps:'
  const credentials =
    url.username === ''
      ? undefined
      : { user: decodeURIComponent(url.username), password: decodeURIComponent(url.password) }
  return { host: url.hostname, port: Number(url.port || (secure ? 465 : 587)), secure, credentials }
}

function bootstrapKey(written: string): string | undefined {
  if (written === '') return undefined
  if (!/^ms_(live|test)_[0-9A-Za-z]{32,}$/.test(written))
    throw new Error('must be ms_live_ or ms_test_, and 32 or more letters or digits')
  return written
}

function dnsSockets(written: string): 'auto' | 'batched' | 'dgram' {
  if (written !== 'auto' && written !== 'batched' && written !== 'dgram')
    throw new Error('must be auto, batched or dgram')
  return written
}

function secretKey(written: string): Buffer | undefined {
  if (written === '') return undefined
  const key = Buffer.from(written, 'base64')
  if (!/^[A-Za-z0-9+/]{43}=$/.test(written)) throw new Error('must be 32 octets in base64')
  return key
}

function accountNames(written: string): readonly string[] {
  const names = list(written)
  const isFine = names.length > 0 && names.every((name) => /^[a-z0-9-]{1,40}$/.test(name))
  if (!isFine) throw new Error('must be `embedded` or names of accounts')
  return names
}

function logLevel(written: string): string {
  if (!['debug', 'info', 'warn', 'error'].includes(written))
    throw new Error('must be debug, info, warn or error')
  return written
}
