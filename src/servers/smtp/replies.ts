/** Replies of our SMTP servers to what they refuse. */
import type { SMTPServerAddress } from 'smtp-server'
import { TooBusy } from '#mail/incoming/too-busy.ts'

/** An error that the library answers with this code and text. */
export function smtpError(code: number, enhanced: string, text: string): Error {
  return Object.assign(new Error(`${enhanced} ${text}`), { responseCode: code })
}

/** Answers our own failures with 4yz: the client tries again. */
export function localTrouble(error: unknown): Error {
  if (error instanceof TooBusy)
    return smtpError(451, '4.3.2', 'Too much mail waits, try again later')
  if (isStorageFull(error)) return smtpError(452, '4.3.1', 'Insufficient storage, try again later')
  return smtpError(451, '4.3.0', 'Local trouble, try again later')
}

/** SQLSTATE 53100: the disk of the database is full. */
const isStorageFull = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === '53100'

/**
 * Refuses parameters of MAIL or RCPT that are not in `known`: an unknown parameter could change what is asked
 * for (RFC 5321 section 4.1.1.11).
 */
export function checkParameters({ args }: SMTPServerAddress, known: readonly string[]): void {
  const unknown = Object.keys(args || {}).find((name) => !known.includes(name.toUpperCase()))
  if (unknown) throw smtpError(555, '5.5.4', `Unknown parameter ${unknown.slice(0, 40)}`)
}

/** Calls the library back with the outcome of `work`. */
export function settle(work: Promise<void>, reply: (error?: Error | null) => void): void {
  work.then(
    () => reply(),
    (error) => reply(error),
  )
}
