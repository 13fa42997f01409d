/**
 * The key of DNS cookies: the same in all processes that share the secret key. Without one, each process uses
 * its own: the nameserver starts before the database, and may not create it.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { Config } from '#config/settings.ts'
import { readSecretKey } from './data-directory.ts'

export async function dnsCookieKey({ secretKey, dataDir }: Config): Promise<Buffer> {
  const kept = secretKey ? undefined : await readSecretKey(dataDir)
  const key = secretKey ?? (kept ? Buffer.from(kept.trim(), 'base64') : randomBytes(32))
  return createHmac('sha256', key).update('mailstead dns cookies').digest()
}
