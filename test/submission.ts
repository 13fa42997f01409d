/** A mail program that hands in mail, by a library that is not ours, and one that says what we want. */
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { createInterface } from 'node:readline'
import { connect as connectTls } from 'node:tls'
import { createTransport } from 'nodemailer'

export type LogIn = { username: string; password: string }

/** Sends by submission, with STARTTLS or TLS from the start; throws an error with `responseCode`. */
export async function submitMail(
  server: string,
  isImplicitTls: boolean,
  { username: user, password: pass }: LogIn,
  mail: object,
): Promise<void> {
  const [host, port] = server.split(':')
  const transport = createTransport({
    host: host!,
    port: Number(port),
    secure: isImplicitTls,
    requireTLS: true,
    auth: { user, pass },
    tls: { rejectUnauthorized: false },
  })
  try {
    await transport.sendMail(mail)
  } finally {
    transport.close()
  }
}

/** The code of the reply to such mail; 250 when it was taken. */
export const submissionReply = (
  server: string,
  isImplicitTls: boolean,
  logIn: LogIn,
  mail: object,
): Promise<number> =>
  submitMail(server, isImplicitTls, logIn, mail).then(
    () => 250,
    (error: { responseCode?: number }) => error.responseCode ?? 0,
  )

export type Dialogue = Disposable & {
  /** Sends a line, and returns the whole reply. */
  say(line: string): Promise<string>
}

/** A dialogue line by line, in TLS from the start or in the clear; the greeting is read. */
export async function dialogue(server: string, isTls: boolean): Promise<Dialogue> {
  const [host, port] = server.split(':')
  const address = { host: host!, port: Number(port) }
  const socket = isTls
    ? connectTls({ ...address, rejectUnauthorized: false })
    : connectPlain(address)
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer over SMTP')))
  socket.on('error', () => {})
  await once(socket, isTls ? 'secureConnect' : 'connect')
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]()
  const reply = async () => {
    const read = []
    for (;;) {
      const { value, done } = await lines.next()
      if (done) return [...read, '(closed)'].join('\n')
      read.push(value)
      if (value[3] !== '-') return read.join('\n')
    }
  }
  await reply()
  return {
    say: (line) => {
      socket.write(`${line}\r\n`)
      return reply()
    },
    [Symbol.dispose]: () => socket.destroy(),
  }
}

export const plainLogIn = ({ username, password }: LogIn, authzid = ''): string =>
  `AUTH PLAIN ${Buffer.from(`${authzid}\0${username}\0${password}`).toString('base64')}`
