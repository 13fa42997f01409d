/** Mail domains: add/domain, edit/domain, delete/domain and what is shown of them. */
import { domainToUnicode } from 'node:url'
import { DKIM } from './dkim.ts'
import { type Entry, type Message, type Say, sayer, type Write } from './entries.ts'
import {
  asciiDomain,
  type Data,
  escaped,
  integer,
  isDomainName,
  isEmpty,
  isGiven,
  list,
  text,
} from './php.ts'
import { editRateLimit, rateLimitOf } from './rate-limits.ts'
import {
  aliasesProper,
  change,
  type Domain,
  inIndexOrder,
  type Mailcow,
  MIB,
  mailboxesOf,
  stamp,
} from './state.ts'
import { withTags } from './tags.ts'

const addDomain: Write = async (mailcow, data, say) => {
  const [domain, warnings] = domainFrom(mailcow, data, say)
  const refusal = sizeRefusal(domain) ?? nameRefusal(mailcow, domain.name)
  if (refusal !== undefined) return [say('danger', refusal)]
  mailcow.domains.set(domain.name, domain)
  const limited = await limitRate(mailcow, domain.name, data)
  const signed = await makeKey(mailcow, domain.name, data, say)
  return [...warnings, ...limited, ...signed, added(mailcow, domain.name, data, say)]
}

function domainFrom(mailcow: Mailcow, data: Data, say: Say): [Domain, Entry[]] {
  const name = asciiDomain(data.domain)
  const number = (key: string, otherwise: number) =>
    isGiven(data[key]) ? integer(data[key]) : otherwise
  const [tags, warnings] = withTags([], data.tags, say)
  const domain: Domain = {
    name,
    description: isEmpty(data.description) ? name : text(data.description),
    tags,
    aliases: number('aliases', mailcow.limits.aliases),
    mailboxes: number('mailboxes', mailcow.limits.mailboxes),
    defquota: number('defquota', mailcow.limits.defquota),
    maxquota: number('maxquota', mailcow.limits.maxquota),
    quota: number('quota', mailcow.limits.quota),
    active: number('active', 1),
    gal: number('gal', 1),
    relayhost: '0',
    ...relaying(
      number('backupmx', 0),
      number('relay_all_recipients', 0),
      number('relay_unknown_only', 0),
    ),
    created: stamp(mailcow),
    modified: null,
  }
  return [domain, warnings]
}

/** Relaying some recipients implies relaying all, and that implies being a backup MX. */
function relaying(backupmx: number, all: number, unknownOnly: number) {
  return {
    backupmx: all === 1 || unknownOnly === 1 ? 1 : backupmx,
    relay_all_recipients: unknownOnly === 1 ? 1 : all,
    relay_unknown_only: unknownOnly,
  }
}

/** In the order of Mailcow's checks, which shows when several things are wrong. */
function sizeRefusal({ defquota, maxquota, quota }: Domain, isEdit = false): Message | undefined {
  const checks: [boolean, string][] = [
    [defquota > maxquota, 'mailbox_defquota_exceeds_mailbox_maxquota'],
    [isEdit && defquota === 0, 'defquota_empty'],
    [maxquota > quota, 'mailbox_quota_exceeds_domain_quota'],
    [defquota === 0, 'defquota_empty'],
    [maxquota === 0, 'maxquota_empty'],
  ]
  return checks.find(([isWrong]) => isWrong)?.[1]
}

function nameRefusal(mailcow: Mailcow, name: string): Message | undefined {
  if (!isDomainName(name)) return 'domain_invalid'
  if (mailcow.domains.has(name)) return ['domain_exists', escaped(name)]
  return name === mailcow.hostname ? 'domain_cannot_match_hostname' : undefined
}

/** An invalid time frame is refused among the entries, and the domain is added. */
async function limitRate(mailcow: Mailcow, name: string, data: Data): Promise<Entry[]> {
  const limit = {
    rl_value: integer(data.rl_value),
    rl_frame: isGiven(data.rl_frame) ? data.rl_frame : 's',
    object: name,
  }
  if (limit.rl_value === 0 || isEmpty(limit.rl_frame)) return []
  return editRateLimit('domain')(mailcow, limit, sayer(['ratelimit', 'edit', 'domain', limit]))
}

/** A leftover key of a former domain is used again, which is reported as success. */
async function makeKey(mailcow: Mailcow, name: string, data: Data, say: Say): Promise<Entry[]> {
  const key = {
    key_size: isGiven(data.key_size) ? integer(data.key_size) : 2048,
    dkim_selector: isGiven(data.dkim_selector) ? data.dkim_selector : 'dkim',
    domains: name,
  }
  if (key.key_size === 0 || isEmpty(key.dkim_selector)) return []
  if (mailcow.dkim.has(name)) return [say('success', 'domain_add_dkim_available')]
  return DKIM.add(mailcow, key, sayer(['dkim', 'add', key]))
}

function added(mailcow: Mailcow, name: string, data: Data, say: Say): Entry {
  const isRestartLost = integer(data.restart_sogo) !== 0 && mailcow.down.has('sogo')
  if (isRestartLost) return say('warning', 'domain_added_sogo_failed')
  return say('success', ['domain_added', escaped(name)])
}

const editDomain: Write = (mailcow, data, say) =>
  list(data.domain).flatMap((name) => editOne(mailcow, asciiDomain(name), data, say))

function editOne(mailcow: Mailcow, name: string, data: Data, say: Say): Entry[] {
  const domain = mailcow.domains.get(name)
  if (domain === undefined) return [say('danger', 'domain_invalid')]
  const changed = { ...domain, ...changesTo(domain, data) }
  const refusal = sizeRefusal(changed, true) ?? useRefusal(mailcow, changed)
  if (refusal !== undefined) return [say('danger', refusal)]
  const [tags, warnings] = withTags(domain.tags, data.tags, say)
  change(mailcow, domain, { ...changed, tags })
  return [...warnings, say('success', ['domain_modified', escaped(name)])]
}

/** For some fields, an empty value counts as absent. */
function changesTo(domain: Domain, data: Data): Partial<Domain> {
  const given = (
    key: 'active' | 'gal' | 'backupmx' | `relay_${'all_recipients' | 'unknown_only'}`,
  ) => (isGiven(data[key]) ? integer(data[key]) : domain[key])
  const written = (key: 'mailboxes' | 'defquota') =>
    isGiven(data[key]) && data[key] !== '' ? integer(data[key]) : domain[key]
  const full = (key: 'aliases' | 'maxquota' | 'quota') =>
    isEmpty(data[key]) ? domain[key] : integer(data[key])
  return {
    active: given('active'),
    gal: given('gal'),
    ...relaying(given('backupmx'), given('relay_all_recipients'), given('relay_unknown_only')),
    relayhost: isGiven(data.relayhost) ? String(integer(data.relayhost)) : domain.relayhost,
    aliases: full('aliases'),
    mailboxes: written('mailboxes'),
    defquota: written('defquota'),
    maxquota: full('maxquota'),
    quota: full('quota'),
    description: isEmpty(data.description) ? domain.description : text(data.description),
  }
}

/** A domain cannot shrink below its use. The database returns sums as strings, counts as numbers. */
function useRefusal(mailcow: Mailcow, domain: Domain): Message | undefined {
  const { count, bytes, biggest } = useOf(mailcow, domain.name)
  const aliases = aliasCount(mailcow, domain.name)
  const [total, largest] = [Math.round(bytes / MIB), Math.round(biggest / MIB)]
  if (largest > domain.maxquota) return ['max_quota_in_use', String(largest)]
  if (total > domain.quota) return ['domain_quota_m_in_use', String(total)]
  if (count > domain.mailboxes) return ['mailboxes_in_use', count]
  return aliases > domain.aliases ? ['aliases_in_use', aliases] : undefined
}

function useOf(mailcow: Mailcow, name: string) {
  const quotas = mailboxesOf(mailcow, name).map(({ quotaBytes }) => quotaBytes)
  const bytes = quotas.reduce((sum, quota) => sum + quota, 0)
  return { count: quotas.length, bytes, biggest: Math.max(0, ...quotas) }
}

const aliasCount = (mailcow: Mailcow, name: string): number =>
  aliasesProper(mailcow).filter(([, { domain }]) => domain === name).length

export const aliasesLeft = (mailcow: Mailcow, domain: Domain): number =>
  domain.aliases - aliasCount(mailcow, domain.name)

const deleteDomain: Write = (mailcow, data, say) =>
  list(data.domain).flatMap((item) => deleteOne(mailcow, text(item), say))

/** Deleting an absent domain succeeds too. The DKIM key always stays. */
function deleteOne(mailcow: Mailcow, written: string, say: Say): Entry[] {
  const name = asciiDomain(written)
  if (!isDomainName(written)) return [say('danger', 'domain_invalid')]
  if (mailboxesOf(mailcow, name).length > 0 || hasResources(mailcow, name))
    return [say('danger', ['domain_not_empty', name])]
  mailcow.domains.delete(name)
  mailcow.aliases.deleteWhere(({ domain }) => domain === name)
  mailcow.rateLimits.delete(name)
  const removed = say('success', ['domain_removed', escaped(name)])
  if (!mailcow.down.has('dovecot')) return [removed]
  return [say('warning', 'Could not move mail storage to garbage collector: '), removed]
}

const hasResources = (mailcow: Mailcow, name: string): boolean =>
  [...mailcow.resources.values()].includes(name)

/** For an alias domain, shows its target domain. */
export function domainDetails(mailcow: Mailcow, written: string): unknown {
  const name = asciiDomain(written)
  const domain = mailcow.domains.get(mailcow.aliasDomains.get(name) ?? name)
  if (domain === undefined) return undefined
  const { count, bytes } = useOf(mailcow, domain.name)
  const roomiest = Math.min(domain.quota * MIB - bytes, domain.maxquota * MIB)
  return {
    max_new_mailbox_quota: roomiest,
    def_new_mailbox_quota: Math.min(roomiest, domain.defquota * MIB),
    quota_used_in_domain: String(bytes),
    bytes_total: 0,
    msgs_total: 0,
    mboxes_in_domain: count,
    mboxes_left: domain.mailboxes - count,
    domain_name: domain.name,
    domain_h_name: domainToUnicode(domain.name),
    description: domain.description,
    max_num_aliases_for_domain: domain.aliases,
    max_num_mboxes_for_domain: domain.mailboxes,
    def_quota_for_mbox: domain.defquota * MIB,
    max_quota_for_mbox: domain.maxquota * MIB,
    max_quota_for_domain: domain.quota * MIB,
    relayhost: domain.relayhost,
    rl: rateLimitOf(mailcow, 'domain', domain.name) ?? false,
    ...flags(domain),
    created: domain.created,
    modified: domain.modified,
    aliases_in_domain: aliasCount(mailcow, domain.name),
    aliases_left: aliasesLeft(mailcow, domain),
    domain_admins: '-',
    tags: domain.tags,
  }
}

const FLAGS = ['backupmx', 'gal', 'active', 'relay_all_recipients', 'relay_unknown_only'] as const

const flags = (domain: Domain): Record<string, number> =>
  Object.fromEntries(
    FLAGS.flatMap((flag) => [
      [flag, domain[flag]],
      [`${flag}_int`, domain[flag]],
    ]),
  )

/** All domains, or those with a tag that contains one of these. */
export function allDomains(mailcow: Mailcow, tags: readonly string[]): unknown[] {
  const isMeant = ({ tags: has }: Domain) =>
    tags.length === 0 || has.some((tag) => tags.some((part) => tag.includes(part)))
  return [...mailcow.domains.values()]
    .filter(isMeant)
    .map(({ name }) => name)
    .toSorted(inIndexOrder)
    .map((name) => domainDetails(mailcow, name))
}

export const DOMAIN = { add: addDomain, edit: editDomain, delete: deleteDomain }
