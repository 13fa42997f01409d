/**
 * Which questions find the records of a name before it moves here, and which records are imported. Most
 * hosts refuse zone transfers, so this asks for usual names. Pure but for one random name.
 */
import { randomBytes } from 'node:crypto'
import { isWithin } from '#dns/name.ts'
import { type RRsetType, rrsetTypeOf } from '#drivers/zone/contract.ts'
import { absolute, relative } from '#names/domain-name.ts'
import { isSpf } from '#policy/spf.ts'
import type { Rr } from '#resolver/reply.ts'
import type { SurveyQuestion } from '#resolver/survey.ts'
import { type CustomerRecord, clampTtl, keyOf } from './customer-records.ts'

// biome-ignore format: a list
const HOSTS = [
  'www', 'mail', 'smtp', 'imap', 'pop', 'pop3', 'webmail', 'mx', 'mx1', 'mx2', 'relay', 'ftp', 'sftp', 'blog', 'shop', 'store',
  'app', 'api', 'cdn', 'static', 'assets', 'img', 'dev', 'm', 'portal', 'vpn', 'remote', 'autodiscover', 'autoconfig', 'mta-sts',
  'staging', 'test', 'beta', 'demo', 'status', 'docs', 'support', 'help', 'crm', 'email', 'em', 'news', 'links', 'click',
  'bounce', 'go', 'git', 'cloud', 'admin', 'login', 'sso', 'auth', 'lyncdiscover', 'sip', 'enterpriseregistration',
  'enterpriseenrollment', 'ns1', 'ns2',
]
// biome-ignore format: a list
const SELECTORS = [
  'google', 'default', 'selector1', 'selector2', 'k1', 'k2', 'k3', 's1', 's2', 'dkim', 'mail', 'mandrill', 'fm1', 'fm2', 'fm3',
  'protonmail', 'protonmail2', 'protonmail3', 'zoho', 'zmail', 'sig1', 'key1', 'key2', 'mte1', 'mte2', 'pm', 'cm', 'mailjet',
  'brevo1', 'brevo2', 'resend', 'smtp', 'x', 'mxvault', 'everlytickey1', 'everlytickey2',
]
// biome-ignore format: a list
const SERVICES = [
  '_autodiscover._tcp', '_imaps._tcp', '_imap._tcp', '_submission._tcp', '_submissions._tcp', '_pop3s._tcp', '_sip._tls',
  '_sip._tcp', '_sipfederationtls._tcp', '_xmpp-client._tcp', '_xmpp-server._tcp', '_caldavs._tcp', '_carddavs._tcp', '_matrix._tcp',
]
// biome-ignore format: a list
const TEXTS = ['_dmarc', '_mta-sts', '_smtp._tls', '_domainkey', 'default._bimi', '_acme-challenge', '_dnslink', '_atproto']

/** The questions about a name that moves here: usual names below it, and a nonexistent one. */
export function questionsAbout(name: string): {
  questions: SurveyQuestion[]
  nonexistentName: string
} {
  const nonexistentName = `${randomBytes(8).toString('hex')}.${name}`
  const all = (labels: readonly string[], types: readonly SurveyQuestion['type'][]) =>
    labels.flatMap((label) => types.map((type) => ({ name: `${label}.${name}`, type })))
  const questions: SurveyQuestion[] = [
    ...APEX_TYPES.map((type) => ({ name, type })),
    ...(['A', 'AAAA', 'MX', 'TXT'] as const).map((type) => ({ name: nonexistentName, type })),
    ...all(['www'], ['A', 'AAAA', 'HTTPS', 'TXT']),
    ...all(HOSTS.slice(1), ['A', 'AAAA']),
    ...all(
      SELECTORS.map((selector) => `${selector}._domainkey`),
      ['TXT'],
    ),
    ...all(TEXTS, ['TXT']),
    ...all(SERVICES, ['SRV']),
  ]
  return { questions, nonexistentName }
}

/** The types that a zone may have at its apex. */
export const APEX_TYPES = ['A', 'AAAA', 'MX', 'TXT', 'CAA', 'HTTPS', 'SVCB', 'NAPTR'] as const

/** Asks for the names in the zone that its records point at, which no list of usual names has. */
export function furtherQuestions(name: string, found: readonly Rr[]): SurveyQuestion[] {
  const named = found.flatMap(({ type, data }) => {
    if (['MX', 'SRV', 'CNAME', 'NS'].includes(type)) return [relative(data.split(' ').at(-1)!)]
    return type === 'TXT' && isSpf(data) ? namesInSpf(data) : []
  })
  const inside = [...new Set(named)].filter(
    (each) => each !== name && isName(each) && isInside(each, name),
  )
  const types = ['A', 'AAAA', 'TXT', 'MX'] as const
  return inside
    .slice(0, NAMED_INSIDE)
    .flatMap((each) => types.map((type) => ({ name: each, type })))
}
const NAMED_INSIDE = 20

/** A broken policy may hold something other than a name. */
const isName = (text: string): boolean =>
  /^[\w-]{1,63}(?:\.[\w-]{1,63})*$/.test(text) && text.length < 254

/** The names that a policy refers to (RFC 7208 sections 5 and 6), except those with macros. */
const namesInSpf = (policy: string): string[] =>
  Array.from(policy.matchAll(/(?:include:|a:|mx:|exists:|redirect=)([\w.-]+)/gi), ([, at]) =>
    relative(at!),
  )

const isInside = (name: string, zone: string): boolean => isWithin(absolute(name), absolute(zone))

/**
 * The found records for the zone. Answers for the nonexistent name become the wildcard; equal ones
 * elsewhere are dropped.
 */
export function importedFrom(
  name: string,
  nonexistentName: string,
  found: readonly Rr[],
): CustomerRecord[] {
  const wild = found.filter((rr) => rr.name === nonexistentName)
  const isWild = (rr: Rr) =>
    rr.name !== name && wild.some(({ type, data }) => type === rr.type && data === rr.data)
  const records = found
    .filter((rr) => rr.name === nonexistentName || !isWild(rr))
    .filter((rr) => isInside(rr.name, name))
    .flatMap((rr): CustomerRecord[] => {
      const owner = rr.name === nonexistentName ? `*.${name}` : rr.name
      const type = rrsetTypeOf(rr.type)
      const isOfApex = owner === name && (type === 'NS' || type === 'DS')
      return type === undefined || isOfApex ? [] : [recordOf(owner, rr, type)]
    })
  return [...new Map(records.map((record) => [keyOf(record), record])).values()]
}

/** The former host made these to run or sign its zone: they are not imported. */
// biome-ignore format: a list
const HOST_RECORD_TYPES = ['SOA', 'RRSIG', 'NSEC', 'NSEC3', 'NSEC3PARAM', 'DNSKEY', 'CDS', 'CDNSKEY', 'CSYNC', 'ZONEMD']

/** Whether records of the type belong to the former host, not to the zone's content. */
export const isHostRecord = (type: string): boolean => HOST_RECORD_TYPES.includes(type)

/** The found records of a type that no zone here holds, as text for people. */
export function leftOutOf(name: string, found: readonly Rr[]): string[] {
  const isLeftOut = (rr: Rr) =>
    isInside(rr.name, name) && rrsetTypeOf(rr.type) === undefined && !isHostRecord(rr.type)
  return [...new Set(found.filter(isLeftOut).map((rr) => `${rr.type} of ${rr.name}`))]
}

const recordOf = (owner: string, { ttl, data }: Rr, type: RRsetType): CustomerRecord => ({
  name: absolute(owner),
  type,
  value: data,
  ttl: clampTtl(ttl),
})
