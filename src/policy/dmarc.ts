/** DMARC policy records (RFC 9989): reading, choosing and writing them. */

export type DmarcPolicy = 'none' | 'quarantine' | 'reject'
const STRENGTH: readonly DmarcPolicy[] = ['none', 'quarantine', 'reject']

export const isDmarc = (txt: string): boolean => /^v\s*=\s*DMARC1\s*(;|$)/.test(txt)

/** What a record found at an enclosing domain asks of its subdomains: `sp`, else `p`, else none. */
export function subdomainPolicy(record: string): DmarcPolicy {
  const value = tag(record, 'sp') ?? tag(record, 'p') ?? 'none'
  return STRENGTH.find((policy) => policy === value.toLowerCase()) ?? 'none'
}

/** What a record asks of receivers for the name it stands at. */
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
