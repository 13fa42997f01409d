/** One file of the log: its records and their offsets. The caller runs one operation at a time. */
import { hasCode } from '../../files.ts'
import type { LogFile, LogFiles } from './file.ts'
import {
  decodeHeader,
  encodeHeader,
  encodeRecords,
  KEY_PREFIX_OCTETS,
  keyOf,
  type LogRecord,
  MAX_HEADER_OCTETS,
} from './format.ts'
import { RecordOffsets } from './record-offsets.ts'
import { scan } from './scan.ts'

/** Up to where a log is complete: it holds every change before `mark` of that database. */
export type Mark = {
  mark: string
  database: string
  /** When that was, in milliseconds since 1970. */
  at: number
}

/** The payload of a name, or undefined if it was deleted. The payload is a view, valid during the call. */
export type Take = (key: string, payload: Uint8Array | undefined) => void

/** Creates a file with only a header, with room for `names` names. Throws where the file exists. */
export async function createSegment(
  files: LogFiles,
  path: string,
  meta: Uint8Array,
  names = 0,
): Promise<Segment> {
  const file = await files.open(path, 'wx+')
  const header = encodeHeader(meta)
  await file.write(header, 0)
  return new Segment(file, header.length, names)
}

/**
 * Reads the file from first to last record; undefined where there is none, or none with this `meta`.
 * Does not yet cut off a torn end.
 */
export async function loadSegment(
  files: LogFiles,
  path: string,
  { meta, flags, take }: { meta: Uint8Array; flags: 'r' | 'r+'; take: Take },
): Promise<Segment | undefined> {
  const file = await files.open(path, flags).catch((error) => {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  })
  if (!file) return undefined
  const octets = Buffer.alloc(MAX_HEADER_OCTETS)
  const header = decodeHeader(octets.subarray(0, await file.read(octets, 0)))
  if (!header?.meta.equals(meta)) {
    await file.close()
    return undefined
  }
  const segment = new Segment(file, header.end)
  await segment.load(take)
  return segment
}

export class Segment {
  readonly file: LogFile
  readonly offsets: RecordOffsets
  /** The offset of the first record. */
  readonly begin: number
  #end: number
  #records = 0
  #mark: Mark | undefined

  constructor(file: LogFile, begin: number, names = 0) {
    this.file = file
    this.begin = begin
    this.#end = begin
    const prefix = Buffer.alloc(KEY_PREFIX_OCTETS)
    this.offsets = new RecordOffsets((at) => {
      const name = keyOf(prefix.subarray(0, file.readSync(prefix, at)))
      if (name === undefined) throw new Error(`the log of zones has no name at ${at} any more`)
      return name
    }, names)
  }

  /** The offset of the next record. */
  get end(): number {
    return this.#end
  }

  /** The mark written last. */
  get mark(): Mark | undefined {
    return this.#mark
  }

  /** The number of outdated records. */
  get outdated(): number {
    return this.#records - this.offsets.size
  }

  async load(take: Take): Promise<void> {
    for await (const records of scan(this.file, this.begin, await this.file.size())) {
      for (const record of records) {
        this.#index(record, record.at)
        this.#end = record.end
        if (record.kind !== 'mark')
          take(record.key, record.kind === 'set' ? record.payload : undefined)
      }
    }
  }

  /** The number of octets behind the last whole record. */
  async torn(): Promise<number> {
    return (await this.file.size()) - this.#end
  }

  /** Cuts off the octets behind the last whole record. */
  cut(): Promise<void> {
    return this.file.truncate(this.#end)
  }

  /** Appends records. Throws the system's error, and then has added none of them. */
  async add(records: readonly LogRecord[]): Promise<void> {
    if (records.length === 0) return
    const { octets, begins } = encodeRecords(records)
    await this.file.write(octets, this.#end)
    for (const [index, record] of records.entries()) this.#index(record, this.#end + begins[index]!)
    this.#end += octets.length
  }

  /**
   * Copies this log's current records from `from` on to another log, and returns the offset where they
   * end. Leaves out marks: records before a mark may have been outdated by records behind it.
   */
  async copyTo(other: Segment, from: number, signal: AbortSignal): Promise<number> {
    let copied = from
    for await (const records of scan(this.file, from, this.#end)) {
      signal.throwIfAborted()
      await other.add(records.filter((record) => this.#isWanted(record, other)))
      copied = records.at(-1)!.end
    }
    return copied
  }

  #isWanted({ kind, key, at }: LogRecord & { at: number }, other: Segment): boolean {
    if (kind === 'set') return this.offsets.isLatest(key, at)
    return kind === 'delete' && other.offsets.get(key) !== undefined
  }

  #index({ kind, key, payload }: LogRecord, at: number): void {
    this.#records++
    if (kind === 'set') this.offsets.set(key, at)
    else if (kind === 'delete') this.offsets.delete(key)
    else this.#mark = JSON.parse(Buffer.from(payload).toString())
  }
}
