// Hands a message to Dovecot by LMTP (RFC 2033) on its Unix socket.
import { once } from 'node:events'
import { createConnection } from 'node:net'
import SMTPConnection from 'nodemailer/lib/smtp-connection'

export type Handing = { sender: string; mailUser: string; raw: Buffer }

/** `refused`: Dovecot would not take it, as for a mailbox that is full. */
export type Handed = { is: 'taken' } | { is: 'refused'; reply: string }

const SOCKET_MS = 60_000

/** Throws when the outcome is unknown. */
export async function deliver(path: string, mail: Handing, signal: AbortSignal): Promise<Handed> {
  signal.throwIfAborted()
  const socket = createConnection(path)
  await once(socket, 'connect', { signal })
  const { promise, resolve, reject } = Promise.withResolvers<Handed>()
  const connection = new SMTPConnection({
    connection: socket,
    lmtp: true,
    ignoreTLS: true,
    name: 'mailstead',
    socketTimeout: SOCKET_MS,
  })
  const abort = () => socket.destroy(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  connection.on('error', reject)
  connection.on('end', () => reject(new Error('Dovecot ended the LMTP session')))
  connection.connect((failure?: unknown) => {
    if (failure) return reject(failure)
    const { sender, mailUser, raw } = mail
    connection.send({ from: sender, to: [mailUser] }, raw, (error: unknown, info: unknown) => {
      if (error) return settleRefusal(error, resolve, reject)
      resolve(handedBy(info as Sent))
    })
  })
  try {
    return await promise
  } finally {
    signal.removeEventListener('abort', abort)
    connection.close()
  }
}

type Sent = { rejectedErrors?: readonly { response?: string }[] }

/** With LMTP a message that its only recipient refused after DATA is no error to nodemailer. */
function handedBy({ rejectedErrors: [refusal] = [] }: Sent): Handed {
  return refusal ? { is: 'refused', reply: refusal.response ?? 'no reply' } : { is: 'taken' }
}

/** An error with a reply is an answer; without one, nobody knows. */
function settleRefusal(
  error: unknown,
  resolve: (handed: Handed) => void,
  reject: (error: unknown) => void,
): void {
  const { response } = error as { response?: string }
  if (response) resolve({ is: 'refused', reply: response })
  else reject(error)
}
