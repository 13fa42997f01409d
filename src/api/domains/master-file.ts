/** A zone as text: a master file (RFC 1035 section 5), which any nameserver loads. */

import { masterLine } from '#dns/master-file.ts'
import { canonicalRdata } from '#dns/rdata.ts'
import type { ClaimRef, RRset } from '#drivers/zone/contract.ts'
import { absolute } from '#names/domain-name.ts'
import { seconds } from '../../clock.ts'

const NS_TTL_S = 3600
const NEGATIVE_TTL_S = 60

/** One line per record, by name and type; names are absolute, so that lines are independent. */
export function masterFile(claim: ClaimRef, rrsets: readonly RRset[], now: Date): string {
  const key = (rrset: RRset) => `${rrset.name.split('.').toReversed().join('.')} ${rrset.type}`
  const sorted = [nsOf(claim), ...rrsets.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))]
  const lines = sorted.flatMap(({ name, type, ttl, data }) =>
    data.map((value) => lineOf(name, ttl, type, value)),
  )
  return `${[soaOf(claim, now), ...lines].join('\n')}\n`
}

/** A record that cannot be served becomes a comment, as it would break the file. */
function lineOf(name: string, ttl: number, type: RRset['type'], value: string): string {
  try {
    return masterLine(name, ttl, type, canonicalRdata(type, value))
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return `; ${name} ${type} is left out: ${error.message}`.replaceAll(/[\0-\x1f\x7f]/g, '?')
  }
}

/** A file needs an SOA to load. The nameservers have their own; this one is equivalent. */
function soaOf({ name, nameservers }: ClaimRef, now: Date): string {
  const [apex, serial] = [absolute(name), Math.floor(now.getTime() / seconds(1))]
  const data = `${absolute(nameservers[0]!)} hostmaster.${apex} ${serial} 14400 3600 1209600 ${NEGATIVE_TTL_S}`
  return masterLine(apex, NEGATIVE_TTL_S, 'SOA', data)
}

const nsOf = ({ name, nameservers }: ClaimRef): RRset => ({
  name: absolute(name),
  type: 'NS',
  ttl: NS_TTL_S,
  data: nameservers.map(absolute),
})
