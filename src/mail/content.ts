/** A message's octets as they are stored. */
import { zstdDecompressSync } from 'node:zlib'

/** `octets` counts the message as it came. */
export type StoredContent = { encoding: 'identity' | 'zstd'; octets: number; content: Uint8Array }

/** Some more than a message may have, for what is added to its header. */
const LIMIT = 32 * 1024 * 1024

export function decodedContent({ encoding, content }: Omit<StoredContent, 'octets'>): Buffer {
  if (encoding === 'zstd') return zstdDecompressSync(content, { maxOutputLength: LIMIT })
  return bufferOf(content)
}

/** The same octets, not copied. */
export const bufferOf = (octets: Uint8Array): Buffer =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
