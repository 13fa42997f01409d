/** Reads a log from start to end in slices; other work runs between them. */
import type { LogFile } from './file.ts'
import { decodeRecord, type FoundRecord } from './format.ts'

const SLICE_OCTETS = 256 * 1024

/**
 * The records between two offsets, a slice at a time; stops before the first torn one. Their octets are
 * views, valid until the next slice is requested. The next slice is read while the caller handles these.
 */
export async function* scan(
  file: LogFile,
  from: number,
  to: number,
): AsyncGenerator<readonly FoundRecord[]> {
  let at = from
  let [buffer, other] = [Buffer.alloc(SLICE_OCTETS), Buffer.alloc(SLICE_OCTETS)]
  const read = () => {
    const reading = fill(file, buffer.subarray(0, to - at), at)
    // A caller that stops here does not wait for the read.
    reading.catch(() => {})
    return reading
  }
  let reading = read()
  while (at < to) {
    const octets = buffer.subarray(0, await reading)
    const { records, next } = recordsIn(octets, at)
    const isWhole = octets.length === Math.min(buffer.length, to - at)
    // A record larger than a slice, or the rest of an incomplete one.
    if (records.length === 0 && next !== 'torn') {
      if (next > to - at || !isWhole) return
      buffer = Buffer.alloc(next)
    } else {
      ;[buffer, other] = [other, buffer]
    }
    at = records.at(-1)?.end ?? at
    if (next !== 'torn') reading = read()
    if (records.length > 0) yield records
    if (next === 'torn') return
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
