// Commands to a running Dovecot, on its Unix socket.
import { createConnection } from 'node:net'

const LIMIT_MS = 10_000
const ENDING = /(^|\n)([+-][^\n]*)\n$/
/** What `kick` answers when there is no session to end. */
const NOTHING_THERE = '-NOTFOUND'

/**
 * Runs a command for a mail user, or for none (`''`), and returns what it prints. Throws if Dovecot does not answer
 * within 10 s, or refuses.
 */
export async function doveadm(
  path: string,
  mailUser: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted()
  const socket = createConnection(path)
  const abort = () => socket.destroy(new Error('Dovecot did not answer in time'))
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])
  limit.addEventListener('abort', abort, { once: true })
  try {
    socket.write(`VERSION\tdoveadm-server\t1\t0\n\t${mailUser}\t${command.join('\t')}\n`)
    return await printed(socket)
  } finally {
    limit.removeEventListener('abort', abort)
    socket.destroy()
  }
}

/** The greeting is one line, `+`; what the command printed ends with such a line, or one with `-` and why. */
async function printed(socket: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of socket) {
    text += chunk
    const [, ...rest] = text.split(/^\+\n/)
    const answer = rest.join('')
    const end = ENDING.exec(answer)
    if (!end) continue
    if (end[2] === '+' || end[2] === NOTHING_THERE) return answer.slice(0, end.index)
    throw new Error(`Dovecot refused: ${end[2]}`)
  }
  throw new Error('Dovecot ended the connection')
}
