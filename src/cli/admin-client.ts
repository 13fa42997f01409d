import { adminSocketPath } from '#config/admin-socket.ts'
import { readConfig } from '#config/settings.ts'
import { type Answer, exchange } from './exchange.ts'

const ANSWER_LIMIT_MS = 10_000

/** Asks the running product over its admin socket. Throws a message for the command line. */
export function askProduct(
  method: 'GET' | 'POST',
  path: string,
  content?: object,
): Promise<Answer> {
  const socketPath = adminSocketPath(readConfig(process.env).dataDir)
  const limitMs = ANSWER_LIMIT_MS
  return exchange({ socketPath, method, path, limitMs, ...(content && { content }) })
}
