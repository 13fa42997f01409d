/** A zone as text: a master file (RFC 1035 section 5), which any nameserver loads. */
import type { ClaimRef, RRset } from '#drivers/zone/contract.ts'
import { quoteTxt } from '#drivers/zone/txt.ts'
import { absolute } from '#names/domain-name.ts'
import { seconds } from '../clock.ts'

const NS_TTL_S = 3600
const NEGATIVE_TTL_S = 60

/** One line a record, by name and type; names absolute, so that no line depends on another. */
export function masterFile(claim: ClaimRef, rrsets: readonly RRset[], now: Date): string {
  const key = (rrset: RRset) => `${rrset.name.split('.').toReversed().join('.')} ${rrset.type}`
  const sorted = [nsOf(claim), ...rrsets.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))]
  const lines = sorted.flatMap(({ name, type, ttl, data }) =>
    data.map(
      (value) => `${name}\t${ttl}\tIN\t${type}\t${type === 'TXT' ? quoteTxt(value) : value}`,
    ),
  )
  return `${[soaOf(claim, now), ...lines].join('\n')}\n`
}

/** A file is loaded with an SOA only. The nameservers keep one of their own; this is as good as theirs. */
function soaOf({ name, nameservers }: ClaimRef, now: Date): string {
  const [apex, serial] = [absolute(name), Math.floor(now.getTime() / seconds(1))]
  const data = `${absolute(nameservers[0]!)} hostmaster.${apex} ${serial} 14400 3600 1209600 ${NEGATIVE_TTL_S}`
  return `${apex}\t${NEGATIVE_TTL_S}\tIN\tSOA\t${data}`
}

const nsOf = ({ name, nameservers }: ClaimRef): RRset => ({
  name: absolute(name),
  type: 'NS',
  ttl: NS_TTL_S,
  data: nameservers.map(absolute),
})
