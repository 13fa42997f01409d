/** What is served for a name, as the database tells it and as it is kept in the log of zones. */
import { absolute } from '#names/domain-name.ts'
import { encodeWaiting, encodeZone, type Unserved } from './dns/store/encode.ts'
import { FORMAT } from './dns/store/layout.ts'
import type { ServedZone } from './dns/zone.ts'

export type FedName = { name: string; zone: ServedZone | undefined; waiting: readonly string[] }

/** Of no payload if nothing is served for the name, and nothing waits for a query. */
export type KeptName = { name: string; payload: Uint8Array | undefined }

/** What the payloads are. A log of others is begun anew, so another form of them needs another word here. */
export const PAYLOADS = Buffer.from(`served-name blob ${FORMAT}`)

/** A kept name taken apart: the blob is as the store of zones takes it. */
export type Kept = {
  waiting: readonly string[]
  /** The label of the zone in the catalog; undefined where no secondary is given it. */
  memberId: string | undefined
  blob: Uint8Array
}

type Beside = { waiting?: readonly string[]; memberId?: string }

const LENGTH_OCTETS = 4

/**
 * The length of what stands beside the blob, that as JSON, and the blob. Throws a RangeError at a zone
 * whose apex or nameservers are none; tells of each rrset that cannot be served.
 */
export function keptName(
  { name, zone, waiting }: FedName,
  onUnserved: (rrset: Unserved) => void,
): KeptName {
  const isWaiting = waiting.length > 0
  if (zone === undefined && !isWaiting) return { name, payload: undefined }
  const beside: Beside = {
    ...(isWaiting ? { waiting } : {}),
    ...(zone?.memberId === undefined ? {} : { memberId: zone.memberId }),
  }
  const { blob, unserved } = zone
    ? encodeZone(zone, { isWaiting })
    : { blob: encodeWaiting(absolute(name)), unserved: [] }
  for (const rrset of unserved) onUnserved(rrset)
  const text = Buffer.from(JSON.stringify(beside))
  const length = Buffer.alloc(LENGTH_OCTETS)
  length.writeUInt32BE(text.length)
  return { name, payload: Buffer.concat([length, text, blob]) }
}

/** Throws at what `keptName` did not write. */
export function readPayload(payload: Uint8Array): Kept {
  const octets = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  const end = LENGTH_OCTETS + octets.readUInt32BE(0)
  const { waiting = [], memberId }: Beside = JSON.parse(octets.toString('utf8', LENGTH_OCTETS, end))
  return { waiting, memberId, blob: payload.subarray(end) }
}
