import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { adminSocketPath } from '#house/admin-path.ts'
import { readConfig } from '../config.ts'

const ANSWER_LIMIT_MS = 10_000

export type Answer = { status: number; body: Record<string, unknown> }

/** One JSON request to the running product, over its admin socket. Throws a sentence for who typed the command. */
export async function askProduct(
  method: 'GET' | 'POST',
  path: string,
  content?: object,
): Promise<Answer> {
  const socketPath = adminSocketPath(readConfig(process.env).dataDir)
  const { status, said } = await exchange(socketPath, method, path, content)
  try {
    return { status, body: JSON.parse(said) }
  } catch {
    throw new Error(`Mailstead answers ${status}, and nothing that can be read.`)
  }
}

function exchange(socketPath: string, method: string, path: string, content?: object) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; said: string }>()
  const signal = AbortSignal.timeout(ANSWER_LIMIT_MS)
  const headers = content ? { 'content-type': 'application/json' } : {}
  const fail = () =>
    reject(
      new Error(
        signal.aborted
          ? 'Mailstead does not answer.'
          : `Mailstead does not run here: nothing answers at ${socketPath}.`,
      ),
    )
  const outgoing = request({ socketPath, path, method, headers, signal }, (answer) => {
    text(answer).then((said) => resolve({ status: answer.statusCode ?? 0, said }), fail)
  })
  outgoing.on('error', fail)
  outgoing.end(content && JSON.stringify(content))
  return promise
}
