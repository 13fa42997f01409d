/** A zone as text: a master file (RFC 1035 section 5), which any nameserver reads. */
import type { ClaimRef, RRset } from '#drivers/zone/contract.ts'
import { quoteTxt } from '#drivers/zone/txt.ts'
import { absolute } from '#names/domain-name.ts'

const NS_TTL_S = 3600

/** One line a record, by name and type; names absolute, so that no line depends on another. */
export function masterFile({ name, nameservers }: ClaimRef, rrsets: readonly RRset[]): string {
  const ns: RRset = {
    name: absolute(name),
    type: 'NS',
    ttl: NS_TTL_S,
    data: nameservers.map(absolute),
  }
  const key = (rrset: RRset) => `${rrset.name.split('.').toReversed().join('.')} ${rrset.type}`
  const sorted = [ns, ...rrsets.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))]
  const lines = sorted.flatMap(({ name: owner, type, ttl, data }) =>
    data.map(
      (value) => `${owner}\t${ttl}\tIN\t${type}\t${type === 'TXT' ? quoteTxt(value) : value}`,
    ),
  )
  return `; ${name}: its SOA is the nameservers' own\n${lines.join('\n')}\n`
}
