/** Reads a message as it arrives, within limits. */
import type { SMTPServerDataStream } from 'smtp-server'
import type { MemoryShare } from './message-memory.ts'

/** RFC 5321 section 4.5.3.1.7 asks for 64K at least; 25 MiB is what the large providers take. */
export const MESSAGE_LIMIT = 25 * 1024 * 1024

/**
 * Reads to the end even when too much arrives, so that the client reads the reply; then undefined. The
 * result is over shared memory, so that a worker reads it without a copy.
 */
export async function collect(
  stream: SMTPServerDataStream,
  share: MemoryShare,
): Promise<Uint8Array | undefined> {
  let blocks: Blocks | undefined = new Blocks()
  for await (const chunk of stream) {
    const octets = chunk as Buffer
    if (blocks && blocks.size + octets.length <= MESSAGE_LIMIT && share.reserve(octets.length))
      blocks.add(octets)
    else {
      blocks = undefined
      share[Symbol.dispose]()
    }
  }
  return blocks?.joined()
}

const BLOCK_OCTETS = 64 * 1024

/** Collects octets in blocks, so that many small pieces cost no more than their own size. */
class Blocks {
  readonly #full: Buffer[] = []
  #last = Buffer.allocUnsafe(0)
  #used = 0
  size = 0

  add(octets: Buffer): void {
    this.size += octets.length
    for (let at = 0; at < octets.length; ) {
      if (this.#used === this.#last.length) this.#next()
      const copied = octets.copy(this.#last, this.#used, at)
      this.#used += copied
      at += copied
    }
  }

  joined(): Uint8Array {
    const raw = new Uint8Array(new SharedArrayBuffer(this.size))
    let at = 0
    for (const block of [...this.#full, this.#last.subarray(0, this.#used)]) {
      raw.set(block, at)
      at += block.length
    }
    return raw
  }

  #next(): void {
    if (this.#used > 0) this.#full.push(this.#last)
    // Most messages are small.
    this.#last = Buffer.allocUnsafe(this.#full.length === 0 ? BLOCK_OCTETS / 8 : BLOCK_OCTETS)
    this.#used = 0
  }
}
