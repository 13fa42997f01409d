/** Converts between Mailcow's terms and ours. It takes sizes in MiB and returns them in octets. */
import { randomBytes } from 'node:crypto'
import { absolute } from '#names/domain-name.ts'
import { SPF_OF_MX } from '#policy/spf.ts'
import { DriverError, type Refusal } from '../../errors.ts'
import type { NeededRecord, Purpose } from '../../records.ts'
import type { ClaimRef, RRsetType } from '../../zone/contract.ts'
import type { MailcowDomain, NewDomain } from './api.ts'

const TTL_S = 300

export type Sizes = { mailboxes: number; aliases: number; mailbox_mib: number }

const stampOf = ({ claimId }: ClaimRef): string => `Made by Mailstead for the claim ${claimId}`

export const isOurs = (claim: ClaimRef, { domain_name, description }: MailcowDomain): boolean =>
  domain_name === claim.name && description === stampOf(claim)

export function freshDomain(
  claim: ClaimRef,
  { mailboxes, aliases, mailbox_mib }: Sizes,
): NewDomain {
  return {
    domain: claim.name,
    description: stampOf(claim),
    aliases,
    mailboxes,
    defquota: mailbox_mib,
    maxquota: mailbox_mib,
    quota: mailbox_mib * mailboxes,
    active: 1,
    // Restarting webmail would log out the users of every domain.
    restart_sogo: 0,
  }
}

/** The password is discarded: users get passwords of their own. */
export function freshMailbox({ name }: ClaimRef, localpart: string, { mailbox_mib }: Sizes) {
  const password = `${randomBytes(24).toString('base64url')}aA1!`
  return {
    local_part: localpart,
    domain: name,
    name: localpart,
    authsource: 'mailcow',
    password,
    password2: password,
    quota: mailbox_mib,
    active: 1,
  }
}

/** The records in Mailcow's documentation; its API does not list them. `host` has no trailing dot. */
export function recordsFor(
  { name }: ClaimRef,
  host: string,
  key: { dkim_txt: string; dkim_selector: string },
): NeededRecord[] {
  const record = (
    label: string,
    type: RRsetType,
    value: string,
    purpose: Purpose,
  ): NeededRecord => {
    return { name: absolute(`${label}${name}`), type, ttl: TTL_S, data: [value], purpose }
  }
  return [
    record('', 'MX', `10 ${absolute(host)}`, 'mx'),
    record('', 'TXT', SPF_OF_MX, 'spf'),
    record(`${key.dkim_selector}._domainkey.`, 'TXT', key.dkim_txt, 'dkim'),
    record('autoconfig.', 'CNAME', absolute(host), 'autoconfig'),
    record('autodiscover.', 'CNAME', absolute(host), 'autoconfig'),
    record('_autodiscover._tcp.', 'SRV', `0 1 443 ${absolute(host)}`, 'autoconfig'),
  ]
}

/** Explanations of known codes; others are shown as they are. */
const SENTENCES: Record<string, string> = {
  domain_invalid: 'it takes the name for none',
  domain_cannot_match_hostname: 'the name is its own host name',
  mailbox_quota_exceeds_domain_quota: 'a mailbox would be larger than its domain',
  mailbox_invalid: 'it does not take such a localpart',
  mailbox_quota_exceeded: 'the mailbox would be larger than allowed',
  mailbox_quota_left_exceeded: 'the domain has no space left for another mailbox',
  max_mailbox_exceeded: 'the domain has as many mailboxes as it may',
  password_complexity: 'its password policy asks for more than we know of',
  access_denied: 'the key has no right to this, or the domain is not there',
  is_alias: 'the address is an alias already',
  is_alias_or_mailbox: 'the address is an alias already',
  is_spam_alias: 'the address is a temporary alias already',
  object_exists: 'the address is taken already',
  mailbox_defquota_exceeds_mailbox_maxquota: 'the size of a mailbox is larger than allowed',
}

export function refusalOf(codes: readonly string[]): Refusal {
  const said = codes.map((code) => SENTENCES[code] ?? `\`${code.slice(0, 60)}\``)
  return { reason: 'refused', message: `Mailcow refuses: ${[...new Set(said)].join('; ')}.` }
}

export const rejected = (codes: readonly string[]): DriverError =>
  new DriverError('rejected', refusalOf(codes).message)
