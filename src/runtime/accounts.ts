/** The accounts at outside services: read from their file, checked, and opened as drivers. */
import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { type Config, ConfigError } from '#config/settings.ts'
import { nameserverPool, type PoolName } from '#domains/claims.ts'
import { accountGuard, type Rests } from '#drivers/guard.ts'
import type { DriverKind, Tools } from '#drivers/kind.ts'
import type { MailboxDriver } from '#drivers/mailbox/contract.ts'
import { MAILBOX_SERVICES, SENDERS, ZONE_HOSTS } from '#drivers/registry.ts'
import type { SenderDriver } from '#drivers/sender/contract.ts'
import type { RRset, RRsetType, ZoneDriver } from '#drivers/zone/contract.ts'
import { type Endpoint, isLoopback, parseEndpoint } from '#names/ip.ts'
import { driverNotes } from '#store/driver-notes.ts'
import { exclusiveStore } from '#store/exclusive.ts'
import { DOVECOT } from '#store/mailbox-copies.ts'
import type { WorldName } from '#store/tables.ts'
import { systemClock } from '../clock.ts'
import type { Runtime } from './context.ts'

export type ZoneAccount = { driver: ZoneDriver; pool: readonly PoolName[] | undefined }

/** The accounts of one world, by name. */
export type Accounts = {
  zones: Map<string, ZoneAccount>
  senders: Map<string, SenderDriver>
  mailboxes: Map<string, MailboxDriver>
  /** Nameservers of outside services on loopback, and what the sandbox's registry shows of them. */
  servers: Endpoint[]
  records: RRset[]
}

/** Settings of every account beside its driver's own. */
const COMMON = {
  driver: z.string(),
  world: z.enum(['live', 'sandbox']).default('live'),
  sandbox: z
    .strictObject({
      servers: z.array(z.string()).default([]),
      records: z
        .array(
          z.strictObject({
            name: z.string(),
            type: z.string().transform((type) => type as RRsetType),
            ttl: z.int(),
            data: z.array(z.string()),
          }),
        )
        .default([]),
    })
    .default({ servers: [], records: [] }),
}

/** Throws `ConfigError` with all errors of the file; it contains no secret. */
export async function openAccounts(
  runtime: Runtime,
  rests: Partial<Rests> | undefined,
): Promise<Record<WorldName, Accounts>> {
  const accounts = { live: noAccounts(), sandbox: noAccounts() }
  const wrong: string[] = []
  for (const [name, written] of Object.entries(await readAccounts(runtime.config))) {
    try {
      openAccount(name, written, accounts, toolsFor(runtime, name, rests))
    } catch (error) {
      wrong.push(`${name}: ${sentenceOf(error)}`)
    }
  }
  wrong.push(...unknownDefaults(runtime.config, accounts))
  if (wrong.length > 0) throw new ConfigError(`MAILSTEAD_ACCOUNTS: ${wrong.join('\n')}`)
  return accounts
}

const noAccounts = (): Accounts => ({
  zones: new Map(),
  senders: new Map(),
  mailboxes: new Map(),
  servers: [],
  records: [],
})

async function readAccounts({ accountsFile }: Config): Promise<Record<string, unknown>> {
  if (accountsFile === '') return {}
  const { mode } = await stat(accountsFile).catch(unreadable)
  if ((mode & 0o077) !== 0) {
    throw new ConfigError(
      'MAILSTEAD_ACCOUNTS: the file holds secrets; let only its owner read it (mode 0600).',
    )
  }
  const written = parseJson(await readFile(accountsFile, 'utf8').catch(unreadable))
  const read = z.record(z.string(), z.unknown()).safeParse(written)
  if (read.success) return read.data
  throw new ConfigError('MAILSTEAD_ACCOUNTS: the file is to hold an object of accounts by name.')
}

function unreadable(error: unknown): never {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
  throw new ConfigError(`MAILSTEAD_ACCOUNTS: the file cannot be read (${code}).`)
}

/** The parser's own message would quote the file. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ConfigError('MAILSTEAD_ACCOUNTS: the file is not JSON.')
  }
}

function openAccount(
  name: string,
  written: unknown,
  all: Record<WorldName, Accounts>,
  tools: Tools,
): void {
  if (BUILT_IN.includes(name) || !/^[a-z0-9-]{1,40}$/.test(name)) {
    throw new ConfigError('an account is named with small letters, digits and hyphens')
  }
  const { driver, world, sandbox, ...own } = z.looseObject(COMMON).parse(written)
  const accounts = all[world]
  const zone = ZONE_HOSTS[driver]
  const sender = SENDERS[driver]
  const mailbox = MAILBOX_SERVICES[driver]
  const kind = zone ?? sender ?? mailbox
  if (!kind) {
    throw new ConfigError(`there is no driver ${driver}; there are ${DRIVER_NAMES.join(', ')}`)
  }
  const settings: Record<string, unknown> = kind.settings.parse(own)
  if (world === 'sandbox') staysOnLoopback(settings)
  if (zone) accounts.zones.set(name, openZoneHost(zone, settings, tools))
  if (sender) accounts.senders.set(name, sender.open(settings, tools))
  if (mailbox) accounts.mailboxes.set(name, mailbox.open(settings, tools))
  accounts.records.push(...sandbox.records)
  accounts.servers.push(...sandbox.servers.map(endpoint))
}

/** The services that need no account. */
const BUILT_IN: readonly string[] = ['embedded', DOVECOT]

/** Whether new domains may be placed at Dovecot, so that one is to run. */
export const hasDovecot = ({ mailboxDriver }: Config): boolean => mailboxDriver.includes(DOVECOT)

const DRIVER_NAMES = [ZONE_HOSTS, SENDERS, MAILBOX_SERVICES].flatMap(Object.keys)

function openZoneHost(
  kind: DriverKind<ZoneDriver, unknown>,
  settings: Record<string, unknown>,
  tools: Tools,
): ZoneAccount {
  const pool = kind.pool?.(settings)
  return {
    driver: kind.open(settings, tools),
    pool: pool && nameserverPool(pool.zone, pool.addresses),
  }
}

/** The sandbox connects to loopback only, also for accounts. */
function staysOnLoopback(settings: Record<string, unknown>): void {
  const urls = Object.values(settings).flatMap((value) => URL.parse(String(value)) ?? [])
  const away = urls.find(
    ({ protocol, hostname }) => /^https?:/.test(protocol) && !isLoopback(hostname),
  )
  if (away || urls.length === 0) {
    throw new ConfigError('an account of the sandbox needs the URL of an emulator on loopback')
  }
}

function endpoint(written: string): Endpoint {
  const parsed = parseEndpoint(written, 53)
  if (!parsed) throw new ConfigError(`${written} is not an address with a port`)
  return parsed
}

function toolsFor(
  { store, logger }: Runtime,
  account: string,
  rests: Partial<Rests> | undefined,
): Tools {
  return {
    account,
    guard: accountGuard({
      account,
      now: () => performance.now(),
      onTrouble: (sentence) => logger.error({ account }, sentence),
      ...(rests ? { rests } : {}),
    }),
    exclusive: exclusiveStore(store),
    notes: driverNotes(store, account),
    now: () => systemClock.now().getTime(),
  }
}

function unknownDefaults(config: Config, all: Record<WorldName, Accounts>): string[] {
  const known = (of: 'zones' | 'senders' | 'mailboxes', name: string) =>
    name === 'embedded' ||
    (of === 'mailboxes' && name === DOVECOT) ||
    all.live[of].has(name) ||
    all.sandbox[of].has(name)
  const missing = (of: 'zones' | 'senders' | 'mailboxes', names: readonly string[], what: string) =>
    names.filter((name) => !known(of, name)).map((name) => `there is no ${what} account ${name}`)
  return [
    ...missing('zones', config.zoneDriver, 'zone host'),
    ...missing('senders', config.senderDriver, 'sender'),
    ...missing('mailboxes', config.mailboxDriver, 'mailbox service'),
  ]
}

/** The wrong fields and why; never their values. */
function sentenceOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    return error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')
  }
  if (error instanceof ConfigError) return error.message
  throw error
}
