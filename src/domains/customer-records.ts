/**
 * The customer's own records in the hosted zone: those found where the name was served before, so that
 * changing the nameservers breaks nothing, and those added since. Pure.
 */
import { randomBytes } from 'node:crypto'
import { isRRsetType, type RRset, type RRsetType } from '#drivers/zone/contract.ts'
import { absolute, isWithin } from '#names/domain-name.ts'
import { isDmarc } from '#policy/dmarc.ts'
import { isSpf } from '#policy/spf.ts'
import type { Rr } from '#resolver/reply.ts'
import type { Asked } from '#resolver/survey.ts'

/** One value at one name; `name` is absolute, `value` rdata in presentation form. */
export type CustomerRecord = { name: string; type: RRsetType; value: string; ttl: number }

// biome-ignore format: a list
const HOSTS = [
  'www', 'mail', 'smtp', 'imap', 'pop', 'webmail', 'ftp', 'blog', 'shop', 'app', 'api', 'cdn', 'dev', 'm', 'portal', 'vpn',
  'autodiscover', 'autoconfig', 'mta-sts', 'staging', 'test', 'status', 'docs', 'support', 'help',
]
// biome-ignore format: a list
const SELECTORS = [
  'google', 'default', 'selector1', 'selector2', 'k1', 'k2', 's1', 's2', 'dkim', 'mail', 'mandrill', 'fm1', 'fm2', 'fm3',
  'protonmail', 'protonmail2', 'protonmail3', 'zoho',
]

/** What is asked about a name that comes here: what people usually have, and a name nobody has. */
export function questionsAbout(name: string): { questions: Asked[]; stranger: string } {
  const stranger = `${randomBytes(8).toString('hex')}.${name}`
  const all = (labels: readonly string[], types: readonly Asked['type'][]) =>
    labels.flatMap((label) => types.map((type) => ({ name: `${label}.${name}`, type })))
  const questions: Asked[] = [
    ...(['A', 'AAAA', 'MX', 'TXT', 'CAA'] as const).map((type) => ({ name, type })),
    ...(['A', 'AAAA', 'MX', 'TXT'] as const).map((type) => ({ name: stranger, type })),
    ...all(HOSTS, ['A', 'AAAA']),
    ...all(
      SELECTORS.map((selector) => `${selector}._domainkey`),
      ['TXT'],
    ),
    ...all(['_dmarc', '_mta-sts', '_smtp._tls'], ['TXT']),
    ...all(['_autodiscover._tcp', '_imaps._tcp', '_submission._tcp'], ['SRV']),
  ]
  return { questions, stranger }
}

const TTL_S = { least: 60, most: 86_400 }

/** What was found, as records of a zone. What answered for a stranger stands at the wildcard, and only there. */
export function importedFrom(
  name: string,
  stranger: string,
  found: readonly Rr[],
): CustomerRecord[] {
  const wild = found.filter((rr) => rr.name === stranger)
  const isWild = (rr: Rr) =>
    rr.name !== name && wild.some(({ type, data }) => type === rr.type && data === rr.data)
  const records = found
    .filter((rr) => rr.name === stranger || !isWild(rr))
    .filter((rr) => isWithin(rr.name, name) && isStorable(rr))
    .flatMap((rr): CustomerRecord[] => {
      const owner = rr.name === stranger ? `*.${name}` : rr.name
      return isRRsetType(rr.type) ? [recordOf(owner, rr, rr.type)] : []
    })
  return [...new Map(records.map((record) => [keyOf(record), record])).values()]
}

/** What the former host signed its zone with goes with it; so does who it was. */
// biome-ignore format: a list
const OF_THE_HOST = ['SOA', 'RRSIG', 'NSEC', 'NSEC3', 'NSEC3PARAM', 'DNSKEY', 'CDS', 'CDNSKEY', 'DS']

/** What was found and is of a type that no zone here holds, as it is told to people. */
export function leftOutOf(name: string, found: readonly Rr[]): string[] {
  const isLeftOut = (rr: Rr) =>
    isWithin(rr.name, name) && !isRRsetType(rr.type) && !OF_THE_HOST.includes(rr.type)
  return [...new Set(found.filter(isLeftOut).map((rr) => `${rr.type} of ${rr.name}`))]
}

/** Postgres holds no U+0000 in text, and what else is no letter is in no name that people use. */
const isStorable = ({ name, data }: Rr): boolean => /^[\w*.-]+$/.test(name) && !data.includes('\0')

function recordOf(owner: string, { ttl, data }: Rr, type: RRsetType): CustomerRecord {
  const words = data.split(' ')
  const isNamed = ['CNAME', 'NS', 'MX', 'SRV'].includes(type)
  const value = isNamed
    ? [...words.slice(0, -1), absolute(words.at(-1)!)].join(' ')
    : caaQuoted(type, data)
  return {
    name: absolute(owner),
    type,
    value,
    ttl: Math.min(TTL_S.most, Math.max(TTL_S.least, ttl)),
  }
}

/** RFC 8659 section 4.1.1: the value of a CAA is written in quotes. */
const caaQuoted = (type: RRsetType, data: string): string =>
  type === 'CAA' && !data.includes('"') ? data.replace(/^(\S+ \S+) (.*)$/, '$1 "$2"') : data

export const keyOf = ({ name, type, value }: CustomerRecord): string => `${name} ${type} ${value}`

/** Whether mail for the name goes to somebody else's server by this record. */
export const isMxOf = (name: string, record: CustomerRecord): boolean =>
  record.type === 'MX' && record.name === absolute(name)

/** A name has one SPF policy and one DMARC record, so ours and the customer's cannot stand side by side. */
export const isSpfOf = (name: string, { name: owner, type, value }: CustomerRecord): boolean =>
  type === 'TXT' && owner === absolute(name) && isSpf(value)
/** An alias to somebody who keeps the policy is one, too. */
export const isDmarcOf = (name: string, { name: owner, type, value }: CustomerRecord): boolean =>
  owner === absolute(`_dmarc.${name}`) && (type === 'CNAME' || (type === 'TXT' && isDmarc(value)))

/** Whether both cannot stand: an alias has no other data beside it (RFC 1034 section 3.6.2). */
export const excludes = (a: CustomerRecord, b: CustomerRecord): boolean =>
  a.name === b.name && (a.type === 'CNAME' || b.type === 'CNAME') && keyOf(a) !== keyOf(b)

/** The zone with what the customer has in it, and without what was taken out. */
export function withCustomers(
  current: readonly RRset[],
  wanted: readonly CustomerRecord[],
  unwanted: readonly CustomerRecord[],
): RRset[] {
  const gone = new Set(unwanted.map(keyOf))
  for (const record of wanted) gone.delete(keyOf(record))
  const rrsets = new Map<string, RRset>()
  for (const rrset of current) {
    const data = rrset.data.filter((value) => !gone.has(keyOf({ ...rrset, value })))
    if (data.length > 0) rrsets.set(`${rrset.name} ${rrset.type}`, { ...rrset, data })
  }
  for (const [key, theirs] of Map.groupBy(wanted, ({ name, type }) => `${name} ${type}`)) {
    const { name, type } = theirs[0]!
    const there = rrsets.get(key)
    const data = [...new Set([...(there?.data ?? []), ...theirs.map(({ value }) => value)])]
    // RFC 2181 section 5.2: an rrset has one TTL. It is the customer's where no value is another's.
    const ttl = Math.min(...theirs.map((record) => record.ttl))
    const isShared = there && data.length > theirs.length
    rrsets.set(key, { name, type, ttl: isShared ? there.ttl : ttl, data })
  }
  return [...rrsets.values()]
}
