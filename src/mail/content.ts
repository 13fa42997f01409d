/** A message as stored. */
import { zstdDecompressSync } from 'node:zlib'

/** `octets` is the size of the message as received. */
export type StoredContent = { encoding: 'identity' | 'zstd'; octets: number; content: Uint8Array }

/** Above the message limit, to leave room for added header fields. */
const LIMIT = 32 * 1024 * 1024

export function decodedContent({ encoding, content }: Omit<StoredContent, 'octets'>): Buffer {
  if (encoding === 'zstd') return zstdDecompressSync(content, { maxOutputLength: LIMIT })
  return bufferOf(content)
}

/** The same octets, not copied. */
export const bufferOf = (octets: Uint8Array): Buffer =>
  Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength)
