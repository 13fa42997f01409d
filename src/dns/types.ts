/** The numbers of the protocol, by the names that people use. From the IANA registry of DNS parameters. */

// biome-ignore format: a table
export const TYPE = {
  A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, HINFO: 13, MX: 15, TXT: 16, RP: 17, AFSDB: 18, KEY: 25, AAAA: 28, LOC: 29,
  SRV: 33, NAPTR: 35, KX: 36, CERT: 37, DNAME: 39, OPT: 41, APL: 42, DS: 43, SSHFP: 44, IPSECKEY: 45, RRSIG: 46,
  NSEC: 47, DNSKEY: 48, DHCID: 49, NSEC3: 50, NSEC3PARAM: 51, TLSA: 52, SMIMEA: 53, HIP: 55, CDS: 59, CDNSKEY: 60,
  OPENPGPKEY: 61, CSYNC: 62, ZONEMD: 63, SVCB: 64, HTTPS: 65, SPF: 99, EUI48: 108, EUI64: 109, TKEY: 249, TSIG: 250,
  IXFR: 251, AXFR: 252, ANY: 255, URI: 256, CAA: 257,
} as const

/** The name of a type, or `TYPE` and its number. */
export type TypeName = keyof typeof TYPE | `TYPE${number}`

const NAMES = new Map<number, string>(
  Object.entries(TYPE).map(([name, number]) => [number, name] as const),
)

/** RFC 3597 section 5: a type without a name of its own is written `TYPE` and its number. */
export const nameOfType = (number: number): string => NAMES.get(number) ?? `TYPE${number}`

/** The number of a type by its name in any case, or by `TYPE` and the number; undefined for neither. */
export function numberOfType(written: string): number | undefined {
  const name = written.toUpperCase()
  if (Object.hasOwn(TYPE, name)) return TYPE[name as keyof typeof TYPE]
  const digits = /^TYPE(0|[1-9]\d{0,4})$/.exec(name)?.[1]
  return digits !== undefined && Number(digits) <= 0xffff ? Number(digits) : undefined
}

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

const RCODE_NAMES = new Map<number, string>(
  Object.entries({ ...RCODE, YXDOMAIN: 6, YXRRSET: 7, NXRRSET: 8, NOTAUTH: 9, NOTZONE: 10 }).map(
    ([name, number]) => [number, name] as const,
  ),
)

export const nameOfRcode = (number: number): string => RCODE_NAMES.get(number) ?? `RCODE${number}`

/** RFC 1996: a primary notifies its secondaries of a change by a separate opcode. */
export const OPCODE = { QUERY: 0, NOTIFY: 4 } as const
