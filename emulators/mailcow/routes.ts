/** Every emulated call. All others get Mailcow's answer to an unknown call. */
import { ALIAS, aliasDetails, allAliases } from './aliases.ts'
import { APP_PASSWORD, appPasswordsOf } from './app-passwords.ts'
import { DKIM, dkimDetails } from './dkim.ts'
import { allDomains, DOMAIN, domainDetails } from './domains.ts'
import { masked, type Write, type WriteRoute } from './entries.ts'
import { allMailboxes, MAILBOX, mailboxDetails } from './mailboxes.ts'
import { policyDetails } from './passwords.ts'
import { integer } from './php.ts'
import { QUARANTINE } from './quarantine.ts'
import { editRateLimit, rateLimitOf, rateLimitsOf, type Scope } from './rate-limits.ts'
import { RELAYHOST, relayhostDetails } from './relayhosts.ts'
import { allResources, deleteResource } from './resources.ts'
import type { Mailcow } from './state.ts'

type Action = 'add' | 'edit' | 'delete'
/** `items` is the parameter that holds the items of an edit or a delete. */
type Route = WriteRoute & { items: string }

/** Only in these calls does the echo end in a null, and only these passwords are masked in it. */
const ofMailbox = (action: Action, type: string, items: string, write: Write): Route => ({
  log: (data) => ['mailbox', action, type, masked(data, 'password', 'password2'), null],
  items,
  write,
})

const appPassword = (action: Action, write: Write): Route => ({
  log: (data) => ['app_passwd', action, masked(data, 'app_passwd', 'app_passwd2')],
  items: 'id',
  write,
})

/** The echo of these calls shows all input: the password of a relayhost, for one. */
const plain = (words: readonly string[], items: string, write: Write): Route => ({
  log: (data) => [...words, data],
  items,
  write,
})

export const WRITES: Record<Action, Readonly<Record<string, Route>>> = {
  add: {
    domain: ofMailbox('add', 'domain', 'domain', DOMAIN.add),
    mailbox: ofMailbox('add', 'mailbox', 'username', MAILBOX.add),
    alias: ofMailbox('add', 'alias', 'id', ALIAS.add),
    dkim: plain(['dkim', 'add'], 'domains', DKIM.add),
    'app-passwd': appPassword('add', APP_PASSWORD.add),
    relayhost: plain(['relayhost', 'add'], 'id', RELAYHOST.add),
  },
  edit: {
    domain: ofMailbox('edit', 'domain', 'domain', DOMAIN.edit),
    mailbox: ofMailbox('edit', 'mailbox', 'username', MAILBOX.edit),
    'rl-domain': plain(['ratelimit', 'edit', 'domain'], 'object', editRateLimit('domain')),
    'rl-mbox': plain(['ratelimit', 'edit', 'mailbox'], 'object', editRateLimit('mailbox')),
    qitem: plain(['quarantine', 'edit'], 'id', QUARANTINE.edit),
  },
  delete: {
    domain: ofMailbox('delete', 'domain', 'domain', DOMAIN.delete),
    mailbox: ofMailbox('delete', 'mailbox', 'username', MAILBOX.delete),
    alias: ofMailbox('delete', 'alias', 'id', ALIAS.delete),
    dkim: plain(['dkim', 'delete'], 'domains', DKIM.delete),
    'app-passwd': appPassword('delete', APP_PASSWORD.delete),
    relayhost: plain(['relayhost', 'delete'], 'id', RELAYHOST.delete),
    resource: ofMailbox('delete', 'resource', 'name', deleteResource),
    qitem: plain(['quarantine', 'delete'], 'id', QUARANTINE.delete),
  },
}

/** Objects below these categories that belong to other calls, none of which is emulated. */
export const OTHER_CALLS = [
  'template',
  'tag',
  'footer',
  'custom-attribute',
  'datatables',
  'reduced',
]

export type Look = { object: string; extra: string; tags: readonly string[] }
/** `undefined` where Mailcow has no such call. */
type Read = (mailcow: Mailcow, look: Look) => { found: unknown } | undefined

const limits =
  (scope: Scope): Read =>
  (mailcow, { object }) => ({
    found: object === 'all' ? rateLimitsOf(mailcow, scope) : rateLimitOf(mailcow, scope, object),
  })

/** Mailcow returns its installed release here. */
const VERSION = 'emulated'

export const READS: Readonly<Record<string, Read>> = {
  domain: (mailcow, { object, tags }) => ({
    found: object === 'all' ? allDomains(mailcow, tags) : domainDetails(mailcow, object),
  }),
  mailbox: (mailcow, { object, extra }) => ({
    found: object === 'all' ? allMailboxes(mailcow, extra) : mailboxDetails(mailcow, object),
  }),
  'alias-domain': (mailcow, { object }) => {
    const target = mailcow.aliasDomains.get(object)
    return { found: target && { alias_domain: object, target_domain: target, active: 1 } }
  },
  resource: (mailcow, { object }) =>
    object === 'all' ? { found: allResources(mailcow) } : undefined,
  alias: (mailcow, { object, extra }) => ({
    found: object === 'all' ? allAliases(mailcow, extra) : aliasDetails(mailcow, object),
  }),
  dkim: (mailcow, { object }) => ({ found: dkimDetails(mailcow, object) }),
  'app-passwd': (mailcow, { object, extra }) =>
    object === 'all' ? { found: appPasswordsOf(mailcow, extra) } : undefined,
  relayhost: (mailcow, { object }) => ({
    found:
      object === 'all'
        ? [...mailcow.relayhosts.rows.keys()].map((id) => relayhostDetails(mailcow, id))
        : relayhostDetails(mailcow, integer(object)),
  }),
  'rl-domain': limits('domain'),
  'rl-mbox': limits('mailbox'),
  passwordpolicy: (mailcow, { object }) =>
    object === '' ? { found: policyDetails(mailcow) } : undefined,
  quarantine: () => ({ found: [] }),
  status: (_mailcow, { object }) =>
    object === 'version' ? { found: { version: VERSION } } : undefined,
}
