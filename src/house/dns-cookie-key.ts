/** The key under which DNS cookies are made: the same in all processes that share the secret key. */
import { createHmac } from 'node:crypto'
import type { Config } from '../config.ts'
import { keptSecretKey } from './keepsakes.ts'

export async function dnsCookieKey({ secretKey, dataDir }: Config): Promise<Buffer> {
  const key = secretKey ?? (await keptSecretKey(dataDir, () => {}))
  return createHmac('sha256', key).update('mailstead dns cookies').digest()
}
