/** Says just enough SMTP to learn how a recipient is answered. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

const LIMIT_MS = 10_000

/** The reply code to RCPT TO, from a stranger. */
export async function smtpReply(
  server: string,
  recipient: string,
  sender = 'stranger@inbox.test',
): Promise<number> {
  const [address, port] = server.split(':')
  const socket = connect(Number(port), address)
  socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error('no answer over SMTP')))
  await once(socket, 'connect')
  try {
    let code = 0
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
    for (const command of [
      '',
      'EHLO test.example',
      `MAIL FROM:<${sender}>`,
      `RCPT TO:<${recipient}>`,
    ]) {
      if (command) socket.write(`${command}\r\n`)
      code = await replyCode(lines)
    }
    return code
  } finally {
    socket.end('QUIT\r\n')
  }
}

/** Reads a reply to its last line, which has a space after the code (RFC 5321 section 4.2.1). */
async function replyCode(lines: AsyncIterator<string>): Promise<number> {
  for (;;) {
    const { value, done } = await lines.next()
    if (done) throw new Error('the connection was closed')
    if (value[3] !== '-') return Number(value.slice(0, 3))
  }
}
