/** Aliases, including catch-alls, whose address has no localpart. */
import { aliasesLeft } from './domains.ts'
import type { Entry, Message, Say, Write } from './entries.ts'
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
  pieces,
  text,
} from './php.ts'
import { type Alias, aliasesProper, inIndexOrder, type Mailcow, stamp } from './state.ts'

const COMMENT_LIMIT = 160
const SINKS = {
  goto_null: 'null@localhost',
  goto_spam: 'spam@localhost',
  goto_ham: 'ham@localhost',
}

const addAlias: Write = (mailcow, data, say) => {
  const refusal = formRefusal(data)
  if (refusal) return [say('danger', refusal)]
  const sink = sinkOf(data)
  const [targets, entries] = sink === undefined ? targetsFrom(data, say) : [[sink], []]
  if (targets.length === 0) return entries
  for (const written of pieces(data.address)) {
    if (targets.includes(written)) continue
    entries.push(addOne(mailcow, written, targets, data, say))
    if (entries.at(-1)?.msg === 'max_alias_exceeded') break
  }
  return entries
}

function formRefusal(data: Data): Message | undefined {
  const comments = [data.private_comment, data.public_comment].map(text)
  if (comments.some((comment) => Buffer.byteLength(comment) > COMMENT_LIMIT))
    return 'comment_too_long'
  if (pieces(data.address).length === 0) return 'alias_empty'
  const isLeadingNowhere = pieces(data.goto).length === 0 && sinkOf(data) === undefined
  return isLeadingNowhere ? 'goto_empty' : undefined
}

const sinkOf = (data: Data): string | undefined =>
  Object.entries(SINKS).find(([key]) => integer(data[key]) === 1)?.[1]

/** Invalid targets are refused one by one, and the rest is used. */
function targetsFrom(data: Data, say: Say): [string[], Entry[]] {
  const targets = pieces(data.goto).map(withAsciiDomain)
  const bad = targets.filter((target) => !isEmail(target))
  return [
    [...new Set(targets.filter(isEmail))],
    bad.map((target) => say('danger', ['goto_invalid', escaped(target)])),
  ]
}

/** Splits at the first @; a word without one becomes a bare localpart. */
function withAsciiDomain(written: string): string {
  const at = written.indexOf('@')
  return at < 0 ? '@' : `${written.slice(0, at)}@${asciiDomain(written.slice(at + 1))}`
}

function addOne(
  mailcow: Mailcow,
  written: string,
  targets: readonly string[],
  data: Data,
  say: Say,
): Entry {
  const address = withAsciiDomain(written)
  const refusal = addressRefusal(mailcow, address)
  if (refusal) return say('danger', refusal)
  const id = mailcow.aliases.add({
    address,
    goto: targets.join(','),
    domain: address.slice(address.indexOf('@') + 1),
    active: integer(data.active),
    internal: integer(data.internal),
    sogo_visible: integer(data.sogo_visible),
    sender_allowed: integer(data.sender_allowed),
    public_comment: isGiven(data.public_comment) ? text(data.public_comment) : null,
    private_comment: isGiven(data.private_comment) ? text(data.private_comment) : null,
    created: stamp(mailcow),
    modified: null,
  })
  return say('success', ['alias_added', address, String(id)])
}

/** Every mailbox also has an alias row, so that one look-up finds both. */
function addressRefusal(mailcow: Mailcow, address: string): Message | undefined {
  const domain = mailcow.domains.get(address.slice(address.indexOf('@') + 1))
  if (domain && aliasesLeft(mailcow, domain) <= 0) return 'max_alias_exceeded'
  const isTaken = mailcow.aliases.rows
    .values()
    .some((alias) => alias.address.toLowerCase() === address.toLowerCase())
  if (isTaken) return ['is_alias_or_mailbox', escaped(address)]
  if (!domain) return ['domain_not_found', escaped(address.slice(address.indexOf('@') + 1))]
  const isCatchAll = address.startsWith('@') && isDomainName(domain.name)
  return isCatchAll || isEmail(address) ? undefined : ['alias_invalid', address]
}

const deleteAlias: Write = (mailcow, data, say) =>
  list(data.id).map((item) => {
    const found = find(mailcow, text(item))
    if (found === undefined) return say('danger', 'access_denied')
    const [id, { address }] = found
    mailcow.aliases.rows.delete(id)
    return say('success', ['alias_removed', escaped(address)])
  })

/** By id or by address; does not find a mailbox's own row. */
const find = (mailcow: Mailcow, key: string): [number, Alias] | undefined =>
  aliasesProper(mailcow).find(
    ([id, { address }]) => String(id) === key || address.toLowerCase() === key.toLowerCase(),
  )

export function aliasDetails(mailcow: Mailcow, key: string): unknown {
  const found = isEmpty(key) ? undefined : find(mailcow, key)
  return found && shown(found)
}

const shown = ([id, alias]: [number, Alias]) => ({
  in_primary_domain: '',
  id,
  ...alias,
  is_catch_all: Number(!isEmail(alias.address)),
  active_int: alias.active,
  sogo_visible_int: alias.sogo_visible,
})

/** The aliases of one domain, of several separated by commas, or of all. */
export function allAliases(mailcow: Mailcow, written: string): unknown[] {
  const names = [...mailcow.domains.keys()].toSorted(inIndexOrder)
  const meant = written === '' ? names : written.split(',').map((name) => name.toLowerCase())
  return meant.flatMap((name) =>
    aliasesProper(mailcow)
      .filter(([, { domain }]) => domain === name)
      .map(shown),
  )
}

export const ALIAS = { add: addAlias, delete: deleteAlias }
