/** Reads, chooses and writes DMARC policy records (RFC 9989). */

export type DmarcPolicy = 'none' | 'quarantine' | 'reject'
const STRENGTH: readonly DmarcPolicy[] = ['none', 'quarantine', 'reject']

export const isDmarc = (txt: string): boolean => /^v\s*=\s*DMARC1\s*(;|$)/.test(txt)

/** The policy of a record for the subdomains of its name: `sp`, else `p`, else none. */
export function subdomainPolicy(record: string): DmarcPolicy {
  const value = tag(record, 'sp') ?? tag(record, 'p') ?? 'none'
  return STRENGTH.find((policy) => policy === value.toLowerCase()) ?? 'none'
}

/**
 * Why receivers apply no policy from these TXT values (RFC 9989 section 4.10); undefined if they
 * apply one. Ignores values that are no DMARC records.
 */
export function dmarcFault(values: readonly string[]): string | undefined {
  const records = values.filter(isDmarc)
  if (records.length > 1) return `of ${records.length} DMARC records there receivers apply none`
  const [record] = records
  if (record === undefined) return 'there is no DMARC record there'
  const wrong = invalidTag(record)
  // RFC 9989 section 4.10.1: receivers treat it as `p=none` if it has a `rua`, else ignore it.
  if (wrong === undefined || wantsReports(record)) return undefined
  return `receivers do not apply it, for its ${wrong}= is none of ${STRENGTH.join(', ')}`
}

/** The first tag whose value is no policy; only `p` is required. */
function invalidTag(record: string): string | undefined {
  const isPolicy = (value: string) => STRENGTH.some((policy) => policy === value.toLowerCase())
  return ['p', 'sp', 'np'].find((name) => {
    const value = tag(record, name)
    return value === undefined ? name === 'p' : !isPolicy(value)
  })
}

const wantsReports = (record: string): boolean =>
  /(?:^|;)\s*rua\s*=\s*[a-z][a-z0-9+.-]*:/i.test(record)

/** The policy of a record for its own name. */
export function ownPolicy(record: string): DmarcPolicy {
  const value = tag(record, 'p') ?? 'none'
  return STRENGTH.find((policy) => policy === value.toLowerCase()) ?? 'none'
}

function tag(record: string, name: string): string | undefined {
  return new RegExp(`(?:^|;)\\s*${name}\\s*=\\s*([^;\\s]+)`, 'i').exec(record)?.[1]
}

/**
 * Writes our record. Reports go to a mailbox of the domain itself, if any, which needs no consent
 * of another domain (RFC 9990 section 4). Names that do not exist send no mail: `np=reject`.
 */
export function dmarcRecord(policy: DmarcPolicy, reportsTo?: string): string {
  const reports = reportsTo === undefined ? [] : [`rua=mailto:${reportsTo}`]
  return ['v=DMARC1', `p=${policy}`, 'np=reject', ...reports].join('; ')
}
