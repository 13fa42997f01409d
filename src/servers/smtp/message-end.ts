/** Finds the end of a message and unstuffs its dots (RFC 5321 section 4.5.2), in one pass. */
import type { PassThrough } from 'node:stream'

const [CR, LF, DOT] = [13, 10, 46]
type At = 'text' | 'cr' | 'line_start' | 'dot' | 'dot_cr'

/** Reads a message chunk by chunk. */
export class MessageReader {
  #at: At = 'line_start'

  /** The message's octets in the chunk; `end` is where the message ends in it, if it does. */
  read(chunk: Buffer): { octets: Buffer; end: number | undefined } {
    // A CR held back from the last chunk may be added.
    const octets = Buffer.allocUnsafe(chunk.length + 1)
    let length = 0
    for (let i = 0; i < chunk.length; i++) {
      const octet = chunk[i]!
      if (this.#at === 'dot_cr') {
        if (octet === LF) return { octets: octets.subarray(0, length), end: i + 1 }
        octets[length++] = CR
        this.#at = 'cr'
      } else if (this.#at === 'dot' && octet === CR) {
        this.#at = 'dot_cr'
        continue
      } else if (this.#at === 'line_start' && octet === DOT) {
        this.#at = 'dot'
        continue
      }
      octets[length++] = octet
      this.#at = octet === CR ? 'cr' : octet === LF && this.#at === 'cr' ? 'line_start' : 'text'
    }
    return { octets: octets.subarray(0, length), end: undefined }
  }
}

/** The parts of the library's parser that `readInOneWalk` replaces and uses. */
export type LibraryParser = {
  _dataStream: PassThrough
  _countDataBytes(count: number): void
  _endDataMode(last: Buffer, rest: Buffer, done: () => void): void
  _feedDataStream(chunk: Buffer, done: () => void): void
}

/**
 * Makes the parser write once a chunk. The library itself writes once for every line that begins with a
 * dot, so a message of dots costs minutes and gigabytes. To be called when DATA begins.
 */
export function readInOneWalk(parser: LibraryParser): void {
  const reader = new MessageReader()
  parser._feedDataStream = (chunk, done) => {
    const { octets, end } = reader.read(chunk)
    parser._countDataBytes(octets.length)
    if (end !== undefined) parser._endDataMode(octets, chunk.subarray(end), done)
    else writeAll(parser._dataStream, octets, done)
  }
}

/** A stream without a reader never drains, it only closes. */
function writeAll(stream: PassThrough, octets: Buffer, done: () => void): void {
  if (octets.length === 0 || !stream.writable || stream.write(octets)) {
    done()
    return
  }
  const settled = () => {
    stream.off('drain', settled)
    stream.off('close', settled)
    done()
  }
  stream.once('drain', settled)
  stream.once('close', settled)
}
