/** The servers of an inbox elsewhere, which a customer names, and where we connect to them. */
import { isIP } from 'node:net'
import { LookupFailed, type Resolver } from '#resolver/resolver.ts'

export type LogInName = { username: string; password: string }

/** `encrypts`: TLS from the first octet at the ports for it, STARTTLS at others. */
export type ServerOf = { host: string; port: number; encrypts: boolean; logIn: LogInName }

export type SmtpAccount = { smtp: ServerOf; imap: ServerOf }
export type Protocol = keyof SmtpAccount

/** What a world allows. */
export type ElsewhereRules = {
  resolver: Resolver
  mayConnect(address: string): boolean
  /** No log-in without TLS, and with a valid certificate only. */
  isStrict: boolean
  /** The name for EHLO. */
  mailHost: string
}

/** Vague on purpose: no one is to learn from it what a network holds. */
export type Failure = 'refused' | 'timed_out' | 'log_in_rejected' | 'not_allowed'

export class LogInFailed extends Error {
  override readonly name = 'LogInFailed'
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure)
    this.failure = failure
  }
}

/** A checked address: we connect to it, and do not look the name up again. */
export type Place = {
  address: string
  port: number
  /** RFC 6066 section 3: a server name is a name, never an address. */
  servername: string | undefined
  tls: 'implicit' | 'starttls' | 'none'
  isVerified: boolean
}

/** One log-in at one address. */
export type Attempt = { protocol: Protocol; place: Place; logIn: LogInName; mailHost: string }

/** Only ports of mail, so that nobody has us look for other open ports. */
const PORTS: Record<Protocol, readonly number[]> = { smtp: [465, 587, 2525], imap: [143, 993] }
/** In the sandbox also those that a server may listen at without privileges. */
const LOOPBACK_PORTS: Record<Protocol, readonly number[]> = {
  smtp: [1465, 1587],
  imap: [1143, 1993],
}
const IMPLICIT_TLS: readonly number[] = [465, 993, 1465, 1993]

const PLACES_TRIED = 3

/** Where a server is: all addresses that we may connect to, a few at most. Throws `LogInFailed`. */
export async function placesOf(
  protocol: Protocol,
  { host, port, encrypts }: ServerOf,
  rules: ElsewhereRules,
  signal: AbortSignal,
): Promise<readonly Place[]> {
  const isPort = PORTS[protocol].includes(port)
  if (!isPort && (rules.isStrict || !LOOPBACK_PORTS[protocol].includes(port)))
    throw new LogInFailed('not_allowed')
  if (rules.isStrict && !encrypts) throw new LogInFailed('not_allowed')
  const addresses = isIP(host) === 0 ? await addressesOf(host, rules, signal) : [host]
  if (addresses.length === 0) throw new LogInFailed('refused')
  const allowed = addresses.filter((address) => rules.mayConnect(address))
  if (allowed.length === 0) throw new LogInFailed('not_allowed')
  const tls = !encrypts ? 'none' : IMPLICIT_TLS.includes(port) ? 'implicit' : 'starttls'
  const servername = isIP(host) === 0 ? host : undefined
  return allowed
    .slice(0, PLACES_TRIED)
    .map((address) => ({ address, port, servername, tls, isVerified: rules.isStrict }))
}

async function addressesOf(
  host: string,
  { resolver }: ElsewhereRules,
  signal: AbortSignal,
): Promise<string[]> {
  try {
    const v4 = await resolver.resolve(host, 'A', signal)
    const v6 = await resolver.resolve(host, 'AAAA', signal)
    return [...v4.records, ...v6.records].map(({ data }) => data)
  } catch (error) {
    if (signal.aborted || error instanceof LookupFailed) throw new LogInFailed('timed_out')
    throw error
  }
}

export const tlsOf = ({ servername, isVerified }: Place) => ({
  rejectUnauthorized: isVerified,
  ...(servername !== undefined && { servername }),
})
