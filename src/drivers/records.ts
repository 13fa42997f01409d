import type { RRset } from './zone/contract.ts'

/** What a record is for, in the wire's words. */
export type Purpose =
  | 'mx'
  | 'spf'
  | 'dkim'
  | 'dmarc'
  | 'bounce'
  | 'autoconfig'
  | 'verification'
  | 'redirect'

/** An rrset a sender or mailbox service needs in the zone. SPF comes as a whole policy; core merges. */
export type NeededRecord = RRset & { purpose: Purpose }
