import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { type Failure, LogInFailed, type LogInName, type Place, tlsOf } from './servers.ts'

const STEP_MS = 5000

/** Logs in by SMTP, and ends the session. Throws `LogInFailed`. */
export async function trySmtp(
  place: Place,
  { username, password }: LogInName,
  mailHost: string,
): Promise<void> {
  const connection = new SMTPConnection({
    host: place.address,
    port: place.port,
    secure: place.tls === 'implicit',
    requireTLS: place.tls === 'starttls',
    ignoreTLS: place.tls === 'none',
    name: mailHost,
    tls: tlsOf(place),
    connectionTimeout: STEP_MS,
    greetingTimeout: STEP_MS,
    socketTimeout: STEP_MS,
  })
  const ended = Promise.withResolvers<never>()
  connection.on('error', ended.reject)
  connection.on('end', () => ended.reject(new LogInFailed('refused')))
  try {
    await Promise.race([ended.promise, steps(connection, { user: username, pass: password })])
  } catch (error) {
    throw error instanceof LogInFailed ? error : new LogInFailed(failureOf(error))
  } finally {
    connection.close()
  }
}

async function steps(
  connection: SMTPConnection,
  credentials: { user: string; pass: string },
): Promise<void> {
  await call((done) => connection.connect(done))
  await call((done) => connection.login(credentials, done))
}

const call = (begin: (done: (error?: unknown) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => begin((error) => (error ? reject(error) : resolve())))

/** RFC 4954 section 6: a 5yz reply to AUTH is a refusal; a 4yz one says nothing about the password. */
function failureOf(error: unknown): Failure {
  const { code, responseCode = 0 } = error as { code?: string; responseCode?: number }
  if (code === 'ETIMEDOUT') return 'timed_out'
  return code === 'EAUTH' && responseCode >= 500 ? 'log_in_rejected' : 'refused'
}
