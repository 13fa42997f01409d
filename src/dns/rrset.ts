/** The unit of planning, change and service: all records of one name and type (RFC 9499 section 4). */

const RRSET_TYPES = ['A', 'AAAA', 'CAA', 'CNAME', 'MX', 'NS', 'SRV', 'TXT'] as const
export type RRsetType = (typeof RRSET_TYPES)[number]

/** Whether we know the type; rrsets of others are left alone wherever they stand. */
export const isRRsetType = (type: string): type is RRsetType =>
  RRSET_TYPES.some((known) => known === type)

/**
 * All records of one name and type. `name` is absolute, lowercase, with a trailing dot; `ttl` is in
 * seconds; `data` is presentation form, but a TXT value is one unquoted, unsplit string per record.
 */
export type RRset = { name: string; type: RRsetType; ttl: number; data: readonly string[] }
