/** Reads a log from one end to the other, in slices between which other work gets its turn. */
import type { LogFile } from './file.ts'
import { decodeRecord, type FoundRecord } from './format.ts'

const SLICE_OCTETS = 256 * 1024

/**
 * The records between two places, a slice at a time; it ends before the first that is torn. Their octets
 * are views, which hold until the next slice is asked for.
 */
export async function* scan(
  file: LogFile,
  from: number,
  to: number,
): AsyncGenerator<readonly FoundRecord[]> {
  let buffer = Buffer.alloc(SLICE_OCTETS)
  let at = from
  while (at < to) {
    const wanted = Math.min(buffer.length, to - at)
    const octets = buffer.subarray(0, await fill(file, buffer.subarray(0, wanted), at))
    const { records, next } = recordsIn(octets, at)
    if (records.length > 0) yield records
    if (next === 'torn') return
    if (records.length === 0) {
      // One record that is larger than a slice, or the rest of one that is not all there.
      if (next > to - at || octets.length < wanted) return
      buffer = Buffer.alloc(next)
    }
    at = records.at(-1)?.end ?? at
  }
}

/** `next` is how many octets the record after them needs. */
function recordsIn(octets: Buffer, at: number): { records: FoundRecord[]; next: number | 'torn' } {
  const records: FoundRecord[] = []
  for (let offset = 0; ; ) {
    const found = decodeRecord(octets, offset, at + offset)
    if (typeof found !== 'object') return { records, next: found }
    records.push(found)
    offset += found.octets.length
  }
}

async function fill(file: LogFile, octets: Uint8Array, at: number): Promise<number> {
  let done = 0
  while (done < octets.length) {
    const read = await file.read(octets.subarray(done), at + done)
    if (read === 0) break
    done += read
  }
  return done
}
