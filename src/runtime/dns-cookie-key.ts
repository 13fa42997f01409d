/**
 * The key under which DNS cookies are made: the same in all processes that share the secret key. Where there is none
 * yet, it is this process's own: the nameserver starts before the database, which may not make it.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { Config } from '#config/settings.ts'
import { presentSecretKey } from './data-directory.ts'

export async function dnsCookieKey({ secretKey, dataDir }: Config): Promise<Buffer> {
  const kept = secretKey ? undefined : await presentSecretKey(dataDir)
  const key = secretKey ?? (kept ? Buffer.from(kept.trim(), 'base64') : randomBytes(32))
  return createHmac('sha256', key).update('mailstead dns cookies').digest()
}
