import type { RRset } from '#drivers/zone/contract.ts'

/** A zone as the server is given it. Names are absolute and lowercase; TTLs are in seconds. */
export type ServedZone = {
  apex: string
  /** The NS data of the apex; the first is also the SOA's mname. */
  nameservers: readonly string[]
  serial: number
  /** Everything but the SOA and the NS of the apex. NS below the apex is a delegation. */
  rrsets: readonly RRset[]
  /** No workspace has proven the name yet: this zone does not shadow proven zones below it. */
  isUnconfirmed?: boolean
  /** DS at delegations, in presentation form: key tag, algorithm, digest type, hexadecimal digest. */
  ds?: readonly { name: string; data: readonly string[] }[]
  /** How long an absence may be cached. 60 by default. */
  negativeTtl?: number
  /** TTL of the NS at the apex. 3600 by default. */
  nsTtl?: number
  /** The zone's label in the catalog (RFC 9432 section 4.1). Without one, no secondary gets it. */
  memberId?: string
}
