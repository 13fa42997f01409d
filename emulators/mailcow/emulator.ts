/**
 * The part of Mailcow's REST API that mail domains and mailboxes need. It stores everything but mail:
 * there is no SMTP, no IMAP, and no ban for wrong keys.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type EmulatedAnswer,
  type EmulatedRequest,
  type EmulatorServer,
  startEmulator,
} from '../server.ts'
import {
  BAD_JSON,
  NO_ATTRIBUTES,
  NO_PAGE,
  NO_ROUTE,
  NOTHING_TO_SEE,
  onlyMethod,
  READ_ONLY,
  refusal,
  TASK_COMPLETED,
  unauthorized,
} from './answers.ts'
import { type Entry, sayer } from './entries.ts'
import { type Data, isEmpty, isRecord, list } from './php.ts'
import { OTHER_CALLS, READS, WRITES } from './routes.ts'
import { aliasesProper, type Mailcow, type MailcowSettings, newMailcow } from './state.ts'

export type { DomainLimits, PasswordPolicy } from './state.ts'

/** `limits` and `passwordPolicy` are an administrator's settings; `hostname` is the MX. */
export type MailcowEmulatorOptions = MailcowSettings & { port?: number }

export type MailcowHoldings = {
  domains: string[]
  mailboxes: string[]
  aliases: string[]
  /** Domains that have a key, existing or not. */
  dkim: string[]
  /** Each as `address/name`, once for every password. */
  appPasswords: string[]
  relayhosts: number
}

export type MailcowEmulator = EmulatorServer & {
  apiKey: string
  readOnlyApiKey: string
  /** A valid key, but not from this address. */
  strangersApiKey: string
  holdings(): MailcowHoldings
  /** Makes all keys wrong from now on. */
  revoke(): void
  restore(): void
  /** How often a key was wrong: Mailcow reports each time to fail2ban, which bans after some. */
  readonly failedLogins: number
  /** Containers that are down: calls that need them succeed with a warning. */
  down: Mailcow['down']
  /** State that a real Mailcow can have and no emulated call makes. */
  inside: Pick<Mailcow, 'aliasDomains' | 'resources' | 'broken' | 'deadlocks'>
}

export async function startMailcowEmulator(
  options: MailcowEmulatorOptions = {},
): Promise<MailcowEmulator> {
  const { port, ...settings } = options
  const mailcow = newMailcow(settings)
  const door = openDoor()
  const server = await startEmulator({
    ...(port === undefined ? {} : { port }),
    refusal,
    async handle(request) {
      if (!request.path.startsWith(BASE)) return NO_PAGE
      const access = door.accessOf(request)
      return typeof access === 'string' ? answer(mailcow, request, access) : access
    },
  })
  return {
    ...server,
    ...door.keys,
    down: mailcow.down,
    inside: mailcow,
    holdings: () => holdingsOf(mailcow),
    revoke: door.revoke,
    restore: door.restore,
    get failedLogins() {
      return door.failures()
    },
  }
}

const BASE = '/api/v1/'

type Access = 'none' | 'read' | 'write'

const newKey = (): string => randomBytes(15).toString('hex').toUpperCase().match(/.{6}/g)!.join('-')

function openDoor() {
  const keys = { apiKey: newKey(), readOnlyApiKey: newKey(), strangersApiKey: newKey() }
  let isRevoked = false
  let failures = 0
  const fail = (msg: string) => {
    failures += 1
    return unauthorized(msg)
  }
  return {
    keys,
    failures: () => failures,
    revoke() {
      isRevoked = true
    },
    restore() {
      isRevoked = false
    },
    /** A missing key is no failed login: the caller may then do nothing. */
    accessOf({ headers }: EmulatedRequest): Access | EmulatedAnswer {
      const written = headers['x-api-key']
      if (isEmpty(written)) return 'none'
      const key = String(written).replace(/[^a-z0-9-]/gi, '')
      if (isRevoked) return fail('authentication failed')
      if (key === keys.apiKey) return 'write'
      if (key === keys.readOnlyApiKey) return 'read'
      if (key === keys.strangersApiKey) return fail('api access denied for ip 127.0.0.1')
      return fail('authentication failed')
    },
  }
}

/** In the order of Mailcow's checks, which shows when several things are wrong. */
async function answer(
  mailcow: Mailcow,
  request: EmulatedRequest,
  access: Access,
): Promise<EmulatedAnswer> {
  const [action = '', category = '', object = '', extra = ''] = request.path
    .slice(BASE.length)
    .split('/')
  const sent = bodyOf(request)
  if (sent === 'bad' && action !== 'get') return BAD_JSON
  if (action === 'get') return read(mailcow, request, access, { category, object, extra })
  if (action !== 'add' && action !== 'edit' && action !== 'delete') return NO_ROUTE
  if (access === 'read' || (access === 'none' && action !== 'add')) return READ_ONLY
  if (typeof sent === 'string') return NO_ATTRIBUTES
  if (request.method !== 'POST') return onlyMethod('POST')
  const route = own(WRITES[action], category)
  if (route === undefined || OTHER_CALLS.includes(object)) return NO_ROUTE
  const data = dataOf(action, route.items, sent.json)
  const say = sayer(route.log(data))
  if (access === 'none') return { status: 200, json: [say('danger', 'access_denied')] }
  const entries = await carriedOut(mailcow, `${action}/${category}`, () =>
    route.write(mailcow, data, say),
  )
  if (entries === 'deadlock') return NOTHING_TO_SEE
  return entries.length === 0 ? TASK_COMPLETED : { status: 200, json: entries }
}

const DELETE_MS = 5

/** Of concurrent deletes of mailboxes, all but the first deadlock, and get an empty answer. */
async function carriedOut(
  { deadlocks }: Mailcow,
  what: string,
  write: () => Entry[] | Promise<Entry[]>,
): Promise<Entry[] | 'deadlock'> {
  if (what !== 'delete/mailbox' || !deadlocks.areOn) return write()
  if (deadlocks.underWay > 0) return 'deadlock'
  deadlocks.underWay++
  await delay(DELETE_MS)
  deadlocks.underWay--
  return write()
}

/** Only a body with a JSON content type is parsed; `null` counts as malformed. */
function bodyOf({ headers, body }: EmulatedRequest): { json: unknown } | 'none' | 'bad' {
  if (!headers['content-type']?.includes('application/json')) return 'none'
  try {
    const json: unknown = JSON.parse(body)
    return json === null ? 'bad' : { json }
  } catch {
    return 'bad'
  }
}

/** Attributes are the body of an add and `attr` in an edit; a delete is a bare list of items. */
function dataOf(action: 'add' | 'edit' | 'delete', items: string, json: unknown): Data {
  if (action === 'delete') return { [items]: list(json) }
  const body = isRecord(json) ? json : {}
  if (action === 'add') return body
  return { [items]: list(body.items), ...(isRecord(body.attr) ? body.attr : {}) }
}

type Target = { category: string; object: string; extra: string }

function read(
  mailcow: Mailcow,
  { method, query }: EmulatedRequest,
  access: Access,
  { category, object, extra }: Target,
): EmulatedAnswer {
  if (method !== 'GET') return onlyMethod('GET')
  if (access === 'none') return NOTHING_TO_SEE
  const tags = (query.get('tags') ?? '').split(',').filter((tag) => tag !== '')
  const looked = OTHER_CALLS.includes(object)
    ? undefined
    : own(READS, category)?.(mailcow, { object, extra, tags })
  if (looked === undefined) return NO_ROUTE
  if (!isEmpty(looked.found)) return { status: 200, json: looked.found }
  return { status: 200, json: category === 'quarantine' ? [] : {} }
}

const own = <Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined =>
  Object.hasOwn(table, key) ? table[key] : undefined

const holdingsOf = (mailcow: Mailcow): MailcowHoldings => ({
  domains: [...mailcow.domains.keys()].toSorted(),
  mailboxes: [...mailcow.mailboxes.keys()].toSorted(),
  aliases: aliasesProper(mailcow)
    .map(([, { address }]) => address)
    .toSorted(),
  dkim: [...mailcow.dkim.keys()].toSorted(),
  appPasswords: [...mailcow.appPasswords.rows.values()]
    .map(({ mailbox, name }) => `${mailbox}/${name}`)
    .toSorted(),
  relayhosts: mailcow.relayhosts.rows.size,
})
