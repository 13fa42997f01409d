import type { RRset } from '#drivers/zone/contract.ts'

/** A zone as it is handed to the server. Names are absolute and lowercase; TTLs are in seconds. */
export type ServedZone = {
  apex: string
  /** The NS data of the apex; the first is also the SOA's mname. */
  nameservers: readonly string[]
  serial: number
  /** Everything but the SOA and the NS of the apex. NS below the apex is a delegation. */
  rrsets: readonly RRset[]
  /** Nobody has shown yet that the name is theirs: it says nothing about zones below that are. */
  isUnconfirmed?: boolean
  /** DS at delegations, in presentation form: key tag, algorithm, digest type, hexadecimal digest. */
  ds?: readonly { name: string; data: readonly string[] }[]
  /** How long an absence may be remembered. 60 unless told. */
  negativeTtl?: number
  /** TTL of the NS at the apex. 3600 unless told. */
  nsTtl?: number
  /** The label of the zone in the catalog (RFC 9432 section 4.1). Without one, no secondary is given it. */
  memberId?: string
}
