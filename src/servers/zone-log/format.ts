/**
 * The file format of the zone log; pure. Numbers are little-endian.
 *
 *   header   magic (8) · version (4) · length of the meta octets (4) · crc32 of all others (4) · 0 (4) · meta
 *   record   length of the body (4) · crc32 of the body, begun with that length (4) · body
 *   body     kind (2) · length of the key (2) · key · payload
 *
 * Header and records are filled up with zeros to a multiple of 8 octets, so that a record's place fits
 * into 32 bits in files of up to 32 GiB.
 */
import { crc32 } from 'node:zlib'

const MAGIC = 'MSZONES\n'
const VERSION = 1
const HEADER_OCTETS = 24
const PREFIX_OCTETS = 8
const BODY_HEAD_OCTETS = 4
export const UNIT = 8
/** A name has 255 octets (RFC 1035 section 2.3.4), of which an escape makes four characters each. */
const MAX_KEY_OCTETS = 1024
/** More than any zone may hold; a larger length is corrupt. */
export const MAX_BODY_OCTETS = 64 * 1024 * 1024
export const MAX_META_OCTETS = 4096
/** The largest header; and the largest start of a record up to the end of its key. */
export const MAX_HEADER_OCTETS = padded(HEADER_OCTETS + MAX_META_OCTETS)
export const KEY_PREFIX_OCTETS = PREFIX_OCTETS + BODY_HEAD_OCTETS + MAX_KEY_OCTETS

const KINDS = { set: 1, delete: 2, mark: 3 } as const
type Kind = keyof typeof KINDS
const KIND_OF: ReadonlyMap<number, Kind> = new Map(
  Object.entries(KINDS).map(([kind, number]) => [number, kind as Kind]),
)

/** `set` and `delete` concern one name; a `mark` says up to where the log is complete. */
export type LogRecord = { kind: Kind; key: string; payload: Uint8Array }

export type FoundRecord = LogRecord & {
  /** The offset of the record, and of the next one. */
  at: number
  end: number
  /** The whole record, as in the file. */
  octets: Buffer
}

const NOTHING = new Uint8Array(0)

export const deletion = (key: string): LogRecord => ({ kind: 'delete', key, payload: NOTHING })

export function encodeHeader(meta: Uint8Array): Buffer {
  if (meta.length > MAX_META_OCTETS) throw new RangeError('the meta octets are too many')
  const header = Buffer.alloc(padded(HEADER_OCTETS + meta.length))
  header.write(MAGIC, 'latin1')
  header.writeUInt32LE(VERSION, 8)
  header.writeUInt32LE(meta.length, 12)
  header.set(meta, HEADER_OCTETS)
  header.writeUInt32LE(crc32(header), 16)
  return header
}

/** The meta octets and the first record's offset; undefined where the header is invalid. */
export function decodeHeader(octets: Buffer): { meta: Buffer; end: number } | undefined {
  if (octets.length < HEADER_OCTETS || octets.toString('latin1', 0, 8) !== MAGIC) return undefined
  if (octets.readUInt32LE(8) !== VERSION) return undefined
  const length = octets.readUInt32LE(12)
  const end = padded(HEADER_OCTETS + length)
  if (length > MAX_META_OCTETS || end > octets.length) return undefined
  const header = Buffer.from(octets.subarray(0, end))
  header.writeUInt32LE(0, 16)
  if (crc32(header) !== octets.readUInt32LE(16)) return undefined
  return { meta: header.subarray(HEADER_OCTETS, HEADER_OCTETS + length), end }
}

/** Throws for a record over the size limit. */
export function sizeOf({ key, payload }: LogRecord): number {
  const keyLength = Buffer.byteLength(key)
  if (keyLength > MAX_KEY_OCTETS) throw new RangeError(`${key} is too long a name`)
  const length = BODY_HEAD_OCTETS + keyLength + payload.length
  if (length > MAX_BODY_OCTETS) throw new RangeError(`the zone ${key} is too large`)
  return padded(PREFIX_OCTETS + length)
}

/** All records, one behind the other, and the offset of each. */
export function encodeRecords(records: readonly LogRecord[]): { octets: Buffer; begins: number[] } {
  let size = 0
  const begins = records.map((record) => {
    size += sizeOf(record)
    return size - sizeOf(record)
  })
  const octets = Buffer.alloc(size)
  for (const [index, record] of records.entries()) writeRecord(record, octets, begins[index]!)
  return { octets, begins }
}

function writeRecord({ kind, key, payload }: LogRecord, octets: Buffer, at: number): void {
  const body = at + PREFIX_OCTETS
  const keyLength = octets.write(key, body + BODY_HEAD_OCTETS)
  const end = body + BODY_HEAD_OCTETS + keyLength + payload.length
  octets.writeUInt16LE(KINDS[kind], body)
  octets.writeUInt16LE(keyLength, body + 2)
  octets.set(payload, end - payload.length)
  octets.writeUInt32LE(end - body, at)
  octets.writeUInt32LE(checksum(octets.subarray(body, end)), at + 4)
}

/**
 * The record at `offset` of `octets`; `at` is its offset in the file. Returns `torn` for an invalid
 * record, or the number of octets needed from `offset` on if there are too few. The payload is a view.
 */
export function decodeRecord(
  octets: Buffer,
  offset: number,
  at: number,
): FoundRecord | number | 'torn' {
  if (octets.length - offset < PREFIX_OCTETS) return PREFIX_OCTETS
  const length = octets.readUInt32LE(offset)
  if (length < BODY_HEAD_OCTETS || length > MAX_BODY_OCTETS) return 'torn'
  const whole = padded(PREFIX_OCTETS + length)
  if (octets.length - offset < whole) return whole
  const record = octets.subarray(offset, offset + PREFIX_OCTETS + length)
  if (checksum(record.subarray(PREFIX_OCTETS)) !== record.readUInt32LE(4)) return 'torn'
  const kind = KIND_OF.get(record.readUInt16LE(PREFIX_OCTETS))
  const key = keyOf(record)
  if (kind === undefined || key === undefined) return 'torn'
  const payload = record.subarray(PREFIX_OCTETS + BODY_HEAD_OCTETS + Buffer.byteLength(key))
  return {
    kind,
    key,
    payload,
    at,
    end: at + whole,
    octets: octets.subarray(offset, offset + whole),
  }
}

/** The key of a record that was already verified; `octets` may hold only its beginning. */
export function keyOf(octets: Buffer): string | undefined {
  const begin = PREFIX_OCTETS + BODY_HEAD_OCTETS
  const end = begin + octets.readUInt16LE(PREFIX_OCTETS + 2)
  return end <= octets.length ? octets.toString('utf8', begin, end) : undefined
}

/** Seeded with the length, so that a wrong length is noticed too. */
const checksum = (body: Buffer): number => crc32(body, body.length)

function padded(octets: number): number {
  return Math.ceil(octets / UNIT) * UNIT
}
