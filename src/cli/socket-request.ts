/** Sends a JSON request over a Unix socket. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'

export type SocketRequest = {
  socketPath: string
  method: 'GET' | 'POST'
  path: string
  content?: object
  limitMs: number
}
export type SocketAnswer = { status: number; body: Record<string, unknown> }

/** Throws an error with a sentence for the operator. */
export async function requestOverSocket({
  content,
  limitMs,
  ...to
}: SocketRequest): Promise<SocketAnswer> {
  const signal = AbortSignal.timeout(limitMs)
  const headers = content ? { 'content-type': 'application/json' } : {}
  const outgoing = request({ ...to, headers, signal })
  outgoing.end(content && JSON.stringify(content))
  try {
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
    return { status: answer.statusCode ?? 0, body: (await json(answer)) as SocketAnswer['body'] }
  } catch (error) {
    throw new Error(sentenceFor(error, to.socketPath, signal.aborted), { cause: error })
  }
}

function sentenceFor(error: unknown, socketPath: string, isLate: boolean): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (isLate) return `Mailstead does not answer at ${socketPath} in time.`
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return `Mailstead does not run here: no process listens at ${socketPath}.`
  if (code === 'EACCES')
    return `Only the user that runs Mailstead may use ${socketPath}: run this command as that user.`
  return `The server at ${socketPath} does not answer as Mailstead does.`
}
