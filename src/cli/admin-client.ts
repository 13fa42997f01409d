import { adminSocketPath } from '#config/admin-socket.ts'
import { readConfig } from '#config/settings.ts'
import { requestOverSocket, type SocketAnswer } from './socket-request.ts'

const ANSWER_LIMIT_MS = 10_000

/** Calls the admin API of the running process. Throws an error with a sentence for the operator. */
export function callAdminApi(
  method: 'GET' | 'POST',
  path: string,
  content?: object,
): Promise<SocketAnswer> {
  const socketPath = adminSocketPath(readConfig(process.env).dataDir)
  const limitMs = ANSWER_LIMIT_MS
  return requestOverSocket({ socketPath, method, path, limitMs, ...(content && { content }) })
}
