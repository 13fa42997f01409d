/** Converts PowerDNS's terms: `account` is the stamp, `changetype` REPLACE our put and DELETE our drop. */
import { canonicalName } from '#dns/name.ts'
import { canonicalOrWritten, masterRdata } from '#dns/rdata.ts'
import { absolute } from '#names/domain-name.ts'
import { type Change, type ClaimRef, type RRset, type RRsetType, rrsetTypeOf } from '../contract.ts'
import type { PdnsChange, PdnsRRset, PdnsZone } from './api.ts'

const NS_TTL_S = 3600
/** Refresh, retry, expire and negative TTL, in seconds. */
const SOA_TIMES = '10800 3600 604800 300'

export function freshZone({ claimId, name, nameservers }: ClaimRef) {
  const soa = `${absolute(nameservers[0]!)} hostmaster.${absolute(name)} 0 ${SOA_TIMES}`
  return {
    name: absolute(name),
    kind: 'Native',
    // Makes PowerDNS raise the serial with every change through its API.
    soa_edit_api: 'DEFAULT',
    account: claimId,
    nameservers: [],
    rrsets: [
      {
        name: absolute(name),
        type: 'SOA',
        ttl: NS_TTL_S,
        records: [{ content: soa, disabled: false }],
      },
      apexNs(name, nameservers),
    ],
  }
}

export function apexNs(name: string, nameservers: readonly string[]): PdnsRRset {
  return {
    name: absolute(name),
    type: 'NS',
    ttl: NS_TTL_S,
    records: nameservers.map((server) => ({ content: absolute(server), disabled: false })),
  }
}

export const nameserversIn = (zone: PdnsZone): string[] =>
  zone.rrsets
    .filter(({ name, type }) => type === 'NS' && name.toLowerCase() === zone.name.toLowerCase())
    .flatMap(({ records }) => records.map(({ content }) => content.toLowerCase()))

/** The zone's rrsets that we manage: without the apex SOA and NS. */
export function toRRsets(zone: PdnsZone): RRset[] {
  const apex = zone.name.toLowerCase()
  return zone.rrsets.flatMap(({ name: written, type: asked, ttl, records }) => {
    const name = canonicalName(readName(written))
    const type = rrsetTypeOf(asked)
    if (type === undefined || (name === apex && type === 'NS')) return []
    const data = records
      .filter(({ disabled }) => !disabled)
      .map(({ content }) => canonicalOrWritten(type, isName(type) ? readName(content) : content))
    return data.length > 0 ? [{ name, type, ttl, data }] : []
  })
}

const isName = (type: RRsetType): boolean => type === 'CNAME' || type === 'PTR'

/** PowerDNS compares content with its own presentation: a space behind a length of 0, quotes around `ech`. */
function contentOf(type: RRsetType, value: string): string {
  if (value === '\\# 0') return `${value} `
  if (type === 'SVCB' || type === 'HTTPS') return value.replace(/(?<= )ech=(\S+)/, 'ech="$1"')
  return isName(type) ? writtenName(value) : masterRdata(type, value)
}

/** Of the printable characters, it escapes only the dot and the backslash. */
const writtenName = (name: string): string =>
  name.replace(/\\(\d{3}|.)/g, (part, what: string) => (/^[^\d.\\]$/.test(what) ? what : part))

/** The reverse: escapes what cannot stand bare in text. */
const readName = (written: string): string =>
  written.replace(/\\(?:\d{3}|.)|["();@$]/g, (part) => (part.length > 1 ? part : `\\${part}`))

export function toChange(change: Change): PdnsChange {
  if ('drop' in change) {
    const name = writtenName(change.drop.name)
    return { ...change.drop, name, ttl: 0, records: [], changetype: 'DELETE' }
  }
  const { type, ttl, data } = change.put
  const name = writtenName(change.put.name)
  const records = data.map((value) => ({ content: contentOf(type, value), disabled: false }))
  return { name, type, ttl, records, changetype: 'REPLACE' }
}
