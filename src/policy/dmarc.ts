/** DMARC policy records (RFC 9989): reading, choosing and writing them. */

export type DmarcPolicy = 'none' | 'quarantine' | 'reject'
const STRENGTH: readonly DmarcPolicy[] = ['none', 'quarantine', 'reject']

export const isDmarc = (txt: string): boolean => /^v\s*=\s*DMARC1\s*(;|$)/.test(txt)

/** What a record found at an enclosing domain asks of its subdomains: `sp`, else `p`, else none. */
export function subdomainPolicy(record: string): DmarcPolicy {
  const value = tag(record, 'sp') ?? tag(record, 'p') ?? 'none'
  return STRENGTH.find((policy) => policy === value.toLowerCase()) ?? 'none'
}

/**
 * Why receivers apply no policy where these TXT values stand (RFC 9989 section 4.10); undefined: they
 * apply one. What is no DMARC record is not counted.
 */
export function dmarcFault(values: readonly string[]): string | undefined {
  const records = values.filter(isDmarc)
  if (records.length > 1) return `of ${records.length} DMARC records there receivers apply none`
  const [record] = records
  if (record === undefined) return 'there is no DMARC record there'
  const wrong = invalidTag(record)
  // RFC 9989 section 4.10.1: it counts as `p=none` if it wants reports, else not at all.
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

/** What a record asks for its own name. */
export function ownPolicy(record: string): DmarcPolicy {
  const value = tag(record, 'p') ?? 'none'
  return STRENGTH.find((policy) => policy === value.toLowerCase()) ?? 'none'
}

function tag(record: string, name: string): string | undefined {
  return new RegExp(`(?:^|;)\\s*${name}\\s*=\\s*([^;\\s]+)`, 'i').exec(record)?.[1]
}

/**
 * Reports go nowhere, or to a mailbox of the domain itself, which needs no consent from elsewhere
 * (RFC 9990 section 4). A name that does not exist sends no mail: `np=reject`.
 */
export function dmarcRecord(policy: DmarcPolicy, reportsTo?: string): string {
  const reports = reportsTo === undefined ? [] : [`rua=mailto:${reportsTo}`]
  return ['v=DMARC1', `p=${policy}`, 'np=reject', ...reports].join('; ')
}
