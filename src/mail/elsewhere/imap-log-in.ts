import { ImapFlow } from 'imapflow'
import { type Failure, LogInFailed, type LogInName, type Place, tlsOf } from './servers.ts'

const STEP_MS = 5000
/** What a log-in needs is a few hundred octets. */
const LIMITS = {
  maxLineLength: 64 * 1024,
  maxLiteralSize: 64 * 1024,
  maxResponseSize: 128 * 1024,
  maxResponseTokens: 5000,
}

/** Logs in by IMAP, and ends the session. Throws `LogInFailed`. */
export async function tryImap(place: Place, { username, password }: LogInName): Promise<void> {
  const client = new ImapFlow({
    host: place.address,
    port: place.port,
    ...(place.servername !== undefined && { servername: place.servername }),
    secure: place.tls === 'implicit',
    ...(place.tls !== 'implicit' && { doSTARTTLS: place.tls === 'starttls' }),
    auth: { user: username, pass: password },
    tls: tlsOf(place),
    disableAutoIdle: true,
    disableCompression: true,
    logger: false,
    connectionTimeout: STEP_MS,
    greetingTimeout: STEP_MS,
    socketTimeout: STEP_MS,
    ...LIMITS,
  })
  const ended = Promise.withResolvers<never>()
  client.on('error', ended.reject)
  client.on('close', () => ended.reject(new LogInFailed('refused')))
  try {
    await Promise.race([client.connect(), ended.promise])
  } catch (error) {
    throw error instanceof LogInFailed ? error : new LogInFailed(failureOf(error))
  } finally {
    client.close()
  }
}

/** RFC 5530 section 3: UNAVAILABLE says nothing about the password. */
function failureOf(error: unknown): Failure {
  const { code, authenticationFailed, serverResponseCode } = error as {
    code?: string
    authenticationFailed?: boolean
    serverResponseCode?: string
  }
  if (authenticationFailed)
    return serverResponseCode === 'UNAVAILABLE' ? 'refused' : 'log_in_rejected'
  return /TIMEOUT|ETIMEDOUT/i.test(code ?? '') ? 'timed_out' : 'refused'
}
