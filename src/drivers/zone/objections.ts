import { canonicalName, nameToWire } from '#dns/name.ts'
import { partsOf, rdataToWire, toWireRRset } from '#dns/rdata.ts'
import type { RRset } from './contract.ts'

/** Our own limit: the longest TXT values in use are DKIM keys of some 800 octets. */
const TXT_LIMIT_OCTETS = 4096

/**
 * RFC 1035 section 4.2.2: a message holds 65,535 octets. An rrset leaves room in it for the question,
 * for EDNS, and for eight aliases that lead to it.
 */
const RRSET_LIMIT_OCTETS = 60_000
/** The octets before the rdata of a record with a compressed owner. */
const RECORD_OCTETS = 12

/** Why no zone host can hold the rrset, ours included; a sentence that names the part. Tested 2026-11. */
export function objectionTo(rrset: RRset): string | undefined {
  const { name, type, data } = rrset
  if (data.length === 0) return `${type} of ${name} has no value.`
  if (type === 'CNAME' && data.length > 1) return `A CNAME has one value; ${name} would have more.`
  return nameObjection(name) ?? valueObjection(rrset) ?? wholeObjection(rrset)
}

function nameObjection(name: string): string | undefined {
  const why = whyNot(() => nameToWire(canonicalName(name)))
  return why && `${name} is not a name that can be served: ${why}.`
}

function valueObjection({ name, type, data }: RRset): string | undefined {
  for (const value of data) {
    const why = whyNot(() => rdataToWire(type, value)) ?? limitOn(type, value)
    if (why) return `${type} of ${name} cannot be ${shown(value)}: ${why}.${formOf(type)}`
  }
  return undefined
}

const shown = (value: string): string => JSON.stringify(value.slice(0, 60))

function formOf(type: RRset['type']): string {
  const parts = partsOf(type)
  return parts.length > 1 ? ` It is written as: ${parts.join(', ')}.` : ''
}

function limitOn(type: RRset['type'], value: string): string | undefined {
  if (type === 'TXT' && Buffer.byteLength(value) > TXT_LIMIT_OCTETS) {
    return `it is longer than ${TXT_LIMIT_OCTETS} octets`
  }
  if (type === 'DS') return digestObjection(rdataToWire(type, value))
  // RFC 7505 section 3: the null MX has the preference 0.
  return type === 'MX' && /^[1-9]\d* \.$/.test(value)
    ? 'an MX without a host, which says that no mail is taken, is "0 ."'
    : undefined
}

/**
 * Octets of a digest by its type (RFC 4034 section 5.1.3, and IANA's registry). Other lengths make a
 * zone invalid for other software.
 */
const DIGEST_OCTETS: ReadonlyMap<number, number> = new Map([
  [1, 20],
  [2, 32],
  [3, 32],
  [4, 48],
])
const DIGEST_AT = 4

function digestObjection(octets: Buffer): string | undefined {
  const type = octets[DIGEST_AT - 1]!
  const wanted = DIGEST_OCTETS.get(type)
  return wanted === undefined || octets.length - DIGEST_AT === wanted
    ? undefined
    : `a digest of the type ${type} has ${wanted} octets, not ${octets.length - DIGEST_AT}`
}

function wholeObjection(rrset: RRset): string | undefined {
  const { name, type, data } = rrset
  const why = whyNot(() => toWireRRset(rrset))
  if (why) return `${why}.`
  // RFC 7505 section 3: a null MX is the only MX.
  if (type === 'MX' && data.length > 1 && data.includes('0 .')) {
    return `MX of ${name} cannot say both that it takes no mail ("0 .") and where its mail goes.`
  }
  const octets = toWireRRset(rrset).records.reduce((sum, record) => {
    return sum + RECORD_OCTETS + record.octets.length
  }, 0)
  return octets > RRSET_LIMIT_OCTETS
    ? `All ${type} of ${name} together take ${octets} octets, and an answer has room for ${RRSET_LIMIT_OCTETS}.`
    : undefined
}

function whyNot(work: () => unknown): string | undefined {
  try {
    work()
    return undefined
  } catch (error) {
    if (error instanceof RangeError) return error.message
    throw error
  }
}
