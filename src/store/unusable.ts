/** Why a database cannot be used, in a sentence for its operator. */
import { isDatabaseAway } from './database.ts'

/**
 * `away`: it will probably be back soon. `refused`: it runs, and an operator must change it or
 * `DATABASE_URL`.
 */
export type Unusable = { is: 'away' | 'refused'; sentence: string }

/** By SQLSTATE or its class, or by the code of a system error; the first that fits. */
// biome-ignore format: a table
const KNOWN: readonly (readonly [code: RegExp, is: Unusable['is'], sentence: string])[] = [
  [/^57P03$/,                       'away',    'Postgres is starting up or shutting down'],
  [/^(57P|08)/,                     'away',    'Postgres has ended the connection'],
  [/^53300$/,                       'away',    'Postgres has no connection left for us'],
  [/^(53|58)/,                      'away',    'Postgres has trouble with its machine'],
  [/^25006$/,                       'away',    'Postgres is read-only'],
  [/^ECONNREFUSED$/,                'away',    'nothing listens where Postgres is to be'],
  [/^ENOENT$/,                      'away',    'there is no socket of Postgres'],
  [/^(ENOTFOUND|EAI_)/,             'away',    'the host of Postgres has no address'],
  [/^(EHOST|ENET|ETIMEDOUT)/,       'away',    'the host of Postgres cannot be reached'],
  [/^(ECONNRESET|EPIPE)$/,          'away',    'Postgres has ended the connection'],
  [/^EACCES$/,                      'refused', 'the socket of Postgres may not be opened'],
  [/^28/,                           'refused', 'Postgres refuses the user or the password of DATABASE_URL'],
  [/^3D000$/,                       'refused', 'Postgres has no database of the name in DATABASE_URL'],
  [/^42501$/,                       'refused', 'the user of DATABASE_URL has not all rights in the database'],
  [/^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|ERR_TLS_)/, 'refused', 'the certificate of Postgres is not trusted'],
]

/** The opening words of `pg`'s own errors, which have no code. */
const REFUSALS = ['SASL:', 'The server does not support SSL connections']

/** Undefined for any other error. */
export function whyUnusable(error: unknown): Unusable | undefined {
  if (!(error instanceof Error) || !mayBeOfConnection(error)) return undefined
  const code = 'code' in error ? String(error.code) : ''
  const known = KNOWN.find(([pattern]) => pattern.test(code))
  if (known) return { is: known[1], sentence: `${known[2]} (${wordsOf(error, code)})` }
  if (REFUSALS.some((opening) => error.message.startsWith(opening)))
    return { is: 'refused', sentence: `Postgres cannot be connected to (${error.message})` }
  if (isDatabaseAway(error))
    return { is: 'away', sentence: `Postgres does not answer (${wordsOf(error, code)})` }
  return undefined
}

/** An error of several addresses, as of `localhost`, has no message of its own. */
const wordsOf = ({ message }: Error, code: string): string => message || code

/** Other system calls give the same codes, for a missing file or a taken port. */
const mayBeOfConnection = (error: Error): boolean =>
  !('syscall' in error) || CALLS_OF_CONNECTIONS.includes(String(error.syscall))

const CALLS_OF_CONNECTIONS = ['connect', 'getaddrinfo', 'read', 'write']
