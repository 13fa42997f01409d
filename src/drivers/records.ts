import type { RRset } from './zone/contract.ts'

/** A record's purpose, as the API names it. */
export type Purpose =
  | 'mx'
  | 'spf'
  | 'dkim'
  | 'dmarc'
  | 'bounce'
  | 'autoconfig'
  | 'verification'
  | 'redirect'

/** An rrset a sender or mailbox service needs in the zone. SPF is a whole policy; core merges them. */
export type NeededRecord = RRset & { purpose: Purpose }
