/** Says just enough SMTP to learn how a recipient, or a message, is answered. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import SMTPConnection from 'nodemailer/lib/smtp-connection'

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

/** The reply code to a whole message, or to the command that was refused. */
export async function sendMail(
  server: string,
  recipients: readonly string[],
  raw: string | Buffer,
  sender = 'stranger@inbox.test',
): Promise<number> {
  const [host, port] = server.split(':')
  const connection = new SMTPConnection({ host: host!, port: Number(port), ignoreTLS: true })
  const { promise, resolve } = Promise.withResolvers<number>()
  const refused = (error: unknown) =>
    resolve(Number((error as { responseCode?: number }).responseCode))
  connection.on('error', refused)
  connection.connect((error?: unknown) => {
    if (error) return refused(error)
    connection.send({ from: sender, to: [...recipients] }, raw, (failure: unknown) => {
      if (failure) refused(failure)
      else resolve(250)
    })
  })
  try {
    return await promise
  } finally {
    connection.close()
  }
}

/**
 * The reply code to a message whose octets no client has touched, dots apart, or to the command that was refused.
 * `from` is the local address it is sent from.
 */
export async function sendOctets(
  server: string,
  recipients: readonly string[],
  raw: Buffer,
  { sender = 'stranger@inbox.test', from = '127.0.0.1' } = {},
): Promise<number> {
  const [host, port] = server.split(':')
  const socket = connect({ host: host!, port: Number(port), localAddress: from })
  socket.setTimeout(SLOW_LIMIT_MS, () => socket.destroy(new Error('no answer over SMTP')))
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  try {
    const rcpts = recipients.map((recipient) => `RCPT TO:<${recipient}>`)
    let code = await replyCode(lines)
    for (const command of ['EHLO test.example', `MAIL FROM:<${sender}>`, ...rcpts, 'DATA']) {
      socket.write(`${command}\r\n`)
      code = await replyCode(lines)
      if (code >= 400) return code
    }
    socket.write(Buffer.concat([dotted(raw), Buffer.from('\r\n.\r\n')]))
    return await replyCode(lines)
  } finally {
    socket.destroy()
  }
}

const SLOW_LIMIT_MS = 60_000

/** RFC 5321 section 4.5.2, without the CRLF at the end. */
function dotted(raw: Buffer): Buffer {
  const text = raw.toString('latin1').replace(/\r\n$/, '')
  return Buffer.from(text.replace(/(^|\r\n)\./g, '$1..'), 'latin1')
}
