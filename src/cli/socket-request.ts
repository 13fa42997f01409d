/** One JSON request over a Unix socket. */
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { json } from 'node:stream/consumers'

export type Asked = {
  socketPath: string
  method: 'GET' | 'POST'
  path: string
  content?: object
  limitMs: number
}
export type Answer = { status: number; body: Record<string, unknown> }

/** Throws a message for the command line. */
export async function exchange({ content, limitMs, ...to }: Asked): Promise<Answer> {
  const signal = AbortSignal.timeout(limitMs)
  const headers = content ? { 'content-type': 'application/json' } : {}
  const outgoing = request({ ...to, headers, signal })
  outgoing.end(content && JSON.stringify(content))
  try {
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
    return { status: answer.statusCode ?? 0, body: (await json(answer)) as Answer['body'] }
  } catch (error) {
    throw new Error(sentenceFor(error, to.socketPath, signal.aborted), { cause: error })
  }
}

function sentenceFor(error: unknown, socketPath: string, isLate: boolean): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (isLate) return `Mailstead does not answer at ${socketPath}.`
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return `Mailstead does not run here: nothing answers at ${socketPath}.`
  if (code === 'EACCES')
    return `${socketPath} is for the user alone that Mailstead runs as; run this as that user.`
  return `What answers at ${socketPath} cannot be understood.`
}
