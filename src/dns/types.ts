/** The numbers of the protocol, by the names that people use. From the IANA registry of DNS parameters. */

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  DS: 43,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  CAA: 257,
} as const

export const CLASS = { IN: 1, ANY: 255 } as const

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  NOTAUTH: 9,
  BADVERS: 16,
} as const

export type Rcode = (typeof RCODE)[keyof typeof RCODE]

/** RFC 1996: a primary tells its secondaries of a change by an opcode of its own. */
export const OPCODE = { QUERY: 0, NOTIFY: 4 } as const
