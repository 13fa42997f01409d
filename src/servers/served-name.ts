/** The zone of a name: as the database stores it, and encoded for the log of zones. */
import { absolute } from '#names/domain-name.ts'
import { encodeWaiting, encodeZone, type Unserved } from './dns/store/encode.ts'
import { FORMAT } from './dns/store/layout.ts'
import type { ServedZone } from './dns/zone.ts'

export type ServedName = { name: string; zone: ServedZone | undefined; waiting: readonly string[] }

/** `payload` is absent if the name has no zone, and no domain waits for a query. */
export type EncodedName = { name: string; payload: Uint8Array | undefined }

/** Identifies the payloads' format; to be changed with it, so that old logs start anew. */
export const PAYLOAD_FORMAT = Buffer.from(`served-name blob ${FORMAT}`)

/** A decoded payload: the blob is in the store's format. */
export type DecodedPayload = {
  waiting: readonly string[]
  /** The zone's label in the catalog; undefined where no secondary gets it. */
  memberId: string | undefined
  blob: Uint8Array
}

type PayloadHeader = { waiting?: readonly string[]; memberId?: string }

const LENGTH_OCTETS = 4

/**
 * A payload: the length of the JSON, the JSON, and the blob. Throws a RangeError at a zone with an
 * invalid apex or nameservers; reports each rrset that cannot be served.
 */
export function encodeName(
  { name, zone, waiting }: ServedName,
  onUnserved: (rrset: Unserved) => void,
): EncodedName {
  const isWaiting = waiting.length > 0
  if (zone === undefined && !isWaiting) return { name, payload: undefined }
  const header: PayloadHeader = {
    ...(isWaiting ? { waiting } : {}),
    ...(zone?.memberId === undefined ? {} : { memberId: zone.memberId }),
  }
  const { blob, unserved } = zone
    ? encodeZone(zone, { isWaiting })
    : { blob: encodeWaiting(absolute(name)), unserved: [] }
  for (const rrset of unserved) onUnserved(rrset)
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(LENGTH_OCTETS)
  length.writeUInt32BE(text.length)
  return { name, payload: Buffer.concat([length, text, blob]) }
}

/** Throws for octets that `encodeName` did not write. */
export function readPayload(payload: Uint8Array): DecodedPayload {
  const octets = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  const end = LENGTH_OCTETS + octets.readUInt32BE(0)
  const { waiting = [], memberId }: PayloadHeader = JSON.parse(
    octets.toString('utf8', LENGTH_OCTETS, end),
  )
  return { waiting, memberId, blob: payload.subarray(end) }
}
