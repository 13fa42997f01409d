/** The state of one Mailcow. Sizes are MiB where the API takes MiB, and bytes elsewhere. */
export type Mailcow = {
  /** The MX; it cannot be a mail domain. */
  hostname: string
  now(): Date
  limits: DomainLimits
  passwordPolicy: PasswordPolicy
  /** Containers that are down: calls that need them succeed with a warning. */
  down: Set<'sogo' | 'dovecot'>
  domains: Map<string, Domain>
  mailboxes: Map<string, Mailbox>
  /** Includes each mailbox, as an alias to itself, with its own id. */
  aliases: Table<Alias>
  /** By domain, existing or not: keys outlive their domains. */
  dkim: Map<string, DkimKey>
  appPasswords: Table<AppPassword>
  relayhosts: Table<Relayhost>
  /** By domain or address. */
  rateLimits: Map<string, RateLimit>
  /** Alias domains, and their target domains. */
  aliasDomains: Map<string, string>
  /** Resources, such as rooms, by their addresses: the domain of each. */
  resources: Map<string, string>
  /** Mailboxes without their quota row, as an interrupted delete leaves them. */
  broken: Set<string>
  /** Whether concurrent deletes of mailboxes deadlock, as in InnoDB. */
  deadlocks: { areOn: boolean; underWay: number }
}

/** The defaults of add/domain; quotas in MiB. */
export type DomainLimits = {
  aliases: number
  mailboxes: number
  defquota: number
  maxquota: number
  quota: number
}

/** `length` is a number of characters; the others are 1 where such a character is required. */
export type PasswordPolicy = {
  length: number
  chars: number
  special_chars: number
  lowerupper: number
  numbers: number
}

type Times = { created: string; modified: string | null }

export type Domain = Times &
  DomainLimits & {
    name: string
    description: string
    tags: string[]
    active: number
    gal: number
    backupmx: number
    relay_all_recipients: number
    relay_unknown_only: number
    relayhost: string
  }

export type Mailbox = Times & {
  localpart: string
  domain: string
  name: string
  quotaBytes: number
  active: number
  tags: string[]
  /** All of them strings, whatever they count. */
  attributes: Record<string, string>
}

export type Alias = Times & {
  address: string
  goto: string
  domain: string
  active: number
  internal: number
  sogo_visible: number
  sender_allowed: number
  public_comment: string | null
  private_comment: string | null
}

export type DkimKey = { selector: string; publicKey: string }

export type AppPassword = Times & {
  name: string
  mailbox: string
  hash: string
  protocols: readonly string[]
  active: number
}

export type Relayhost = { hostname: string; username: string; password: string }

export type RateLimit = { value: string; frame: string }

/** Rows by id; ids are never reused. */
export class Table<Row> {
  readonly rows = new Map<number, Row>()
  #lastId = 0

  add(row: Row): number {
    this.#lastId += 1
    this.rows.set(this.#lastId, row)
    return this.#lastId
  }

  deleteWhere(isMeant: (row: Row) => boolean): void {
    for (const [id, row] of this.rows) if (isMeant(row)) this.rows.delete(id)
  }
}

export type MailcowSettings = {
  hostname?: string | undefined
  limits?: Partial<DomainLimits> | undefined
  passwordPolicy?: Partial<PasswordPolicy> | undefined
  now?: (() => Date) | undefined
}

const LIMITS = { aliases: 400, mailboxes: 10, defquota: 3072, maxquota: 10240, quota: 10240 }
const POLICY = { length: 6, chars: 0, special_chars: 0, lowerupper: 0, numbers: 0 }

export const newMailcow = (settings: MailcowSettings): Mailcow => ({
  hostname: settings.hostname ?? 'mail.mailcow.test',
  now: settings.now ?? (() => new Date()),
  limits: { ...LIMITS, ...settings.limits },
  passwordPolicy: { ...POLICY, ...settings.passwordPolicy },
  down: new Set(),
  domains: new Map(),
  mailboxes: new Map(),
  aliases: new Table(),
  dkim: new Map(),
  appPasswords: new Table(),
  relayhosts: new Table(),
  rateLimits: new Map(),
  aliasDomains: new Map(),
  resources: new Map(),
  broken: new Set(),
  deadlocks: { areOn: false, underWay: 0 },
})

/** `2026-11-23 12:21:53`, without a time zone: in Mailcow it is a setting of the host. */
export const stamp = (mailcow: Mailcow): string =>
  mailcow.now().toISOString().slice(0, 19).replace('T', ' ')

/** Changes a row, and its time of modification if that makes a difference. */
export function change<Row extends Times>(mailcow: Mailcow, row: Row, values: Partial<Row>): void {
  const before = JSON.stringify(row)
  Object.assign(row, values)
  if (JSON.stringify(row) !== before) row.modified = stamp(mailcow)
}

export const mailboxesOf = (mailcow: Mailcow, domain: string): Mailbox[] =>
  [...mailcow.mailboxes.values()].filter((mailbox) => mailbox.domain === domain)

export const addressOf = ({ localpart, domain }: Mailbox): string => `${localpart}@${domain}`

/** Names are compared case-insensitively, as in the real database. */
export const mailboxAt = (mailcow: Mailcow, address: unknown): Mailbox | undefined =>
  mailcow.mailboxes.get(String(address).toLowerCase())

/** Aliases without the mailboxes' own rows. */
export const aliasesProper = (mailcow: Mailcow): [number, Alias][] =>
  [...mailcow.aliases.rows].filter(([, { address, goto }]) => address !== goto)

/** The order of the real database's index: letters case-insensitively, before `_` and `{`. */
export const inIndexOrder = (a: string, b: string): number =>
  a.toUpperCase() < b.toUpperCase() ? -1 : 1

export const MIB = 1 << 20
