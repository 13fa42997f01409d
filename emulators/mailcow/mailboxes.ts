/** Mailboxes: add/mailbox, edit/mailbox, delete/mailbox and what is shown of them. */
import { type Entry, type Message, type Say, sayer, type Write } from './entries.ts'
import { passwordRefusal } from './passwords.ts'
import {
  asciiDomain,
  type Data,
  escaped,
  integer,
  isDomainName,
  isEmail,
  isEmpty,
  isGiven,
  list,
  text,
} from './php.ts'
import { editRateLimit, rateLimitOf } from './rate-limits.ts'
import {
  addressOf,
  change,
  type Domain,
  inIndexOrder,
  type Mailbox,
  type Mailcow,
  MIB,
  mailboxAt,
  mailboxesOf,
  stamp,
} from './state.ts'
import { withTags } from './tags.ts'

/** The default quota of a mailbox, in MiB, whatever its domain's default. */
const QUOTA_MIB = 3072

/** Every attribute, and the attributes that a caller may set. */
const ATTRIBUTES: Readonly<Record<string, string>> = {
  force_pw_update: '0',
  force_tfa: '0',
  tls_enforce_in: '0',
  tls_enforce_out: '0',
  sogo_access: '1',
  imap_access: '1',
  pop3_access: '1',
  smtp_access: '1',
  sieve_access: '1',
  eas_access: '1',
  dav_access: '1',
  relayhost: '0',
  mailbox_format: 'maildir:',
  quarantine_notification: 'hourly',
  quarantine_category: 'reject',
  attribute_hash: '',
}
const FIXED = ['mailbox_format', 'attribute_hash']
const TEXTS = ['quarantine_notification', 'quarantine_category']
const ONLY_WHEN_ADDED = ['tls_enforce_in', 'tls_enforce_out', ...TEXTS]
const PROTOCOLS = ['imap', 'pop3', 'smtp', 'sieve', 'eas', 'dav']

const addMailbox: Write = async (mailcow, data, say) => {
  const localpart = text(data.local_part).trim().toLowerCase()
  const name = asciiDomain(data.domain)
  const address = `${localpart}@${name}`
  if (!isEmail(address) || localpart === '0') return [say('danger', 'mailbox_invalid')]
  if (!isDomainName(name)) return [say('danger', 'domain_invalid')]
  const domain = mailcow.domains.get(name)
  if (domain === undefined) return [say('danger', 'access_denied')]
  const quotaMib = isGiven(data.quota) ? integer(data.quota) : QUOTA_MIB
  const taken = takenRefusal(mailcow, address)
  if (taken) return [say('danger', taken)]
  const weak = passwordRefusal(mailcow, data.password, data.password2)
  if (weak) return [weak]
  const full = roomRefusal(mailcow, domain, quotaMib)
  if (full) return [say('danger', full)]
  const warnings = insert(mailcow, { localpart, domain: name, quotaMib }, data, say)
  const limited = await limitRate(mailcow, address, data)
  return [...warnings, ...limited, say('success', ['mailbox_added', escaped(address)])]
}

function takenRefusal(mailcow: Mailcow, address: string): Message | undefined {
  if (mailcow.mailboxes.has(address)) return ['object_exists', escaped(address)]
  const isAlias = mailcow.aliases.rows
    .values()
    .some((alias) => alias.address.toLowerCase() === address)
  return isAlias ? ['is_alias', escaped(address)] : undefined
}

function roomRefusal(mailcow: Mailcow, domain: Domain, quotaMib: number): Message | undefined {
  const count = mailboxesOf(mailcow, domain.name).length
  const left = domain.quota - Math.round(bytesOf(mailcow, domain.name) / MIB)
  if (count >= domain.mailboxes) return ['max_mailbox_exceeded', count, domain.mailboxes]
  if (quotaMib > domain.maxquota) return ['mailbox_quota_exceeded', domain.maxquota]
  return quotaMib > left ? ['mailbox_quota_left_exceeded', left] : undefined
}

const bytesOf = (mailcow: Mailcow, domain: string): number =>
  mailboxesOf(mailcow, domain).reduce((sum, { quotaBytes }) => sum + quotaBytes, 0)

type Place = { localpart: string; domain: string; quotaMib: number }

function insert(mailcow: Mailcow, place: Place, data: Data, say: Say): Entry[] {
  const { localpart, domain, quotaMib } = place
  const now = stamp(mailcow)
  const [tags, warnings] = withTags([], data.tags, say)
  const mailbox: Mailbox = {
    localpart,
    domain,
    name: nameFrom(data) ?? localpart,
    quotaBytes: quotaMib * MIB,
    active: isGiven(data.active) ? integer(data.active) : 1,
    tags,
    attributes: { ...ATTRIBUTES, ...attributesFrom(data, FIXED), passwd_update: now },
    created: now,
    modified: now,
  }
  const address = addressOf(mailbox)
  mailcow.mailboxes.set(address, mailbox)
  mailcow.aliases.add({
    ...{ address, goto: address, domain, active: mailbox.active },
    ...{ internal: 0, sogo_visible: 1, sender_allowed: 1 },
    ...{ public_comment: null, private_comment: null, created: now, modified: null },
  })
  return warnings
}

const nameFrom = (data: Data): string | undefined =>
  isEmpty(data.name) ? undefined : text(data.name).replace(/^<+|>+$/g, '')

/** The attributes in the input; `protocol_access` is another form of some. */
function attributesFrom(data: Data, besides: readonly string[]): Record<string, string> {
  const sent = isGiven(data.protocol_access) ? { ...data, ...accessFrom(data) } : data
  const names = Object.keys(ATTRIBUTES).filter(
    (name) => isGiven(sent[name]) && !besides.includes(name),
  )
  return Object.fromEntries(
    names.map((name) => [
      name,
      TEXTS.includes(name) ? text(sent[name]) : String(integer(sent[name])),
    ]),
  )
}

function accessFrom(data: Data): Data {
  const allowed = list(data.protocol_access)
  return Object.fromEntries(
    PROTOCOLS.map((protocol) => [`${protocol}_access`, Number(allowed.includes(protocol))]),
  )
}

/** An invalid time frame is refused among the entries, and the mailbox is added. */
async function limitRate(mailcow: Mailcow, address: string, data: Data): Promise<Entry[]> {
  const limit = {
    object: address,
    rl_frame: isGiven(data.rl_frame) ? data.rl_frame : 's',
    rl_value: isGiven(data.rl_value) ? data.rl_value : '',
  }
  return editRateLimit('mailbox')(mailcow, limit, sayer(['ratelimit', 'edit', 'mailbox', limit]))
}

const editMailbox: Write = (mailcow, data, say) =>
  list(data.username).flatMap((item) => editOne(mailcow, text(item), data, say))

function editOne(mailcow: Mailcow, address: string, data: Data, say: Say): Entry[] {
  if (!isEmail(address)) return [say('danger', ['username_invalid', address])]
  const mailbox = mailboxAt(mailcow, address)
  if (mailbox === undefined) return [say('danger', 'access_denied')]
  const quotaBytes =
    isGiven(data.quota) && data.quota !== '' ? integer(data.quota) * MIB : mailbox.quotaBytes
  const most = largestFor(mailcow, mailbox)
  if (quotaBytes > most) return [say('danger', ['mailbox_quota_left_exceeded', most / MIB])]
  const isRenewed = !isEmpty(data.password)
  const weak = isRenewed ? passwordRefusal(mailcow, data.password, data.password2) : undefined
  if (weak) return [weak]
  const [tags, warnings] = withTags(mailbox.tags, data.tags, say)
  change(mailcow, mailbox, {
    ...{ quotaBytes, tags, name: nameFrom(data) ?? mailbox.name },
    active: isGiven(data.active) ? integer(data.active) : mailbox.active,
    attributes: {
      ...mailbox.attributes,
      ...attributesFrom(data, [...FIXED, ...ONLY_WHEN_ADDED]),
      ...(isRenewed ? { passwd_update: stamp(mailcow) } : {}),
    },
  })
  return [...warnings, say('success', ['mailbox_modified', address])]
}

const deleteMailbox: Write = (mailcow, data, say) =>
  list(data.username).flatMap((item) => deleteOne(mailcow, text(item), say))

function deleteOne(mailcow: Mailcow, written: string, say: Say): Entry[] {
  const mailbox = mailboxAt(mailcow, written)
  if (!isEmail(written) || mailbox === undefined) return [say('danger', 'access_denied')]
  const address = addressOf(mailbox)
  mailcow.mailboxes.delete(address)
  mailcow.broken.delete(address)
  mailcow.rateLimits.delete(address)
  mailcow.appPasswords.deleteWhere((password) => password.mailbox === address)
  leaveAliases(mailcow, address)
  const removed = say('success', ['mailbox_removed', escaped(written)])
  if (!mailcow.down.has('dovecot')) return [removed]
  return [say('warning', 'Could not move maildir to garbage collector: '), removed]
}

/** Deletes aliases with no other target, including catch-alls; removes the address from others. */
function leaveAliases(mailcow: Mailcow, address: string): void {
  mailcow.aliases.deleteWhere(({ goto }) => goto.toLowerCase() === address)
  for (const alias of mailcow.aliases.rows.values()) {
    const targets = alias.goto.split(',').filter((target) => target !== address)
    change(mailcow, alias, { goto: targets.join(',') })
  }
}

/** In bytes: what other mailboxes leave of the domain, at most the limit of one mailbox. */
function largestFor(mailcow: Mailcow, mailbox: Mailbox): number {
  const domain = mailcow.domains.get(mailbox.domain)!
  const others = bytesOf(mailcow, mailbox.domain) - mailbox.quotaBytes
  return Math.min(domain.quota * MIB - others, domain.maxquota * MIB)
}

export function mailboxDetails(mailcow: Mailcow, written: string): unknown {
  const mailbox = mailboxAt(mailcow, written)
  if (mailbox === undefined) return undefined
  if (mailcow.broken.has(addressOf(mailbox))) return NULLS
  const own = rateLimitOf(mailcow, 'mailbox', addressOf(mailbox))
  return {
    ...reduced(mailbox),
    max_new_quota: largestFor(mailcow, mailbox),
    spam_aliases: 0,
    pushover_active: 0,
    rl: own ?? rateLimitOf(mailcow, 'domain', mailbox.domain) ?? false,
    rl_scope: own ? 'mailbox' : 'domain',
    is_relayed: mailcow.domains.get(mailbox.domain)!.backupmx,
    sender_acl: [],
  }
}

const NULLS = {
  ...{ username: null, domain: null, local_part: null, name: null, quota: null },
  ...{ active: null, active_int: null, attributes: null, created: null, modified: null },
}

/** There are no logins and no mail, so all counts of use are zero. */
function reduced(mailbox: Mailbox) {
  const { domain, name, localpart, quotaBytes, active, attributes, tags } = mailbox
  return {
    username: addressOf(mailbox),
    ...{ active, active_int: active, domain, name, local_part: localpart, quota: quotaBytes },
    ...{ messages: 0, attributes, custom_attributes: [], quota_used: 0 },
    percent_in_use: quotaBytes === 0 ? '- ' : 0,
    percent_class: quotaBytes === 0 ? 'info' : 'success',
    ...{ created: mailbox.created, modified: mailbox.modified, authsource: 'mailcow' },
    ...{ last_imap_login: 0, last_smtp_login: 0, last_pop3_login: 0, last_sso_login: 0 },
    ...(tags.length > 0 ? { tags } : {}),
  }
}

/** The mailboxes of one domain, of several separated by commas, or of all. */
export function allMailboxes(mailcow: Mailcow, written: string): unknown[] {
  const names = [...mailcow.domains.keys()].toSorted(inIndexOrder)
  const meant = written === '' ? names : written.split(',').map((name) => name.toLowerCase())
  return meant.flatMap((name) =>
    mailboxesOf(mailcow, name)
      .map(addressOf)
      .toSorted(inIndexOrder)
      .map((address) => mailboxDetails(mailcow, address)),
  )
}

export const MAILBOX = { add: addMailbox, edit: editMailbox, delete: deleteMailbox }
