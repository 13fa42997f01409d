/** Transfers a message to its recipient's mail exchanger (RFC 5321 section 5.1). */
import { isIPv6 } from 'node:net'
import { splitAddress } from '#names/localpart.ts'
import { LookupFailed, type Resolver } from '#resolver/resolver.ts'
import type { AttemptResult } from './mail.ts'
import type { Delivery, Peer } from './session.ts'
import type { Sessions } from './sessions.ts'
import type { TlsPolicies } from './tls-policies.ts'

export type TransferOptions = {
  resolver: Resolver
  sessions: Sessions
  /** Absent where destinations' policies are not looked up. */
  policies?: Pick<TlsPolicies, 'enforced'> | undefined
  /** The name for EHLO. */
  mailHost: string
  smtpPort(address: string): number
  mayConnect(address: string): boolean
  /** Local addresses to send from; if empty, the system chooses. */
  sourceAddresses: readonly string[]
  /** The smarthost for all mail, if one is configured. */
  smarthost: Smarthost | undefined
}

export type Smarthost = {
  host: string
  port: number
  secure: boolean
  credentials: { user: string; password: string } | undefined
}

const EXCHANGERS_TRIED = 5

/** Tries the exchangers in order of preference until one accepts or refuses. */
export async function transfer(
  delivery: Delivery,
  options: TransferOptions,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const { smarthost } = options
  const hand = (peer: Omit<Peer, 'localAddress'>) =>
    options.sessions.hand(
      delivery,
      { ...peer, localAddress: sourceFor(peer.host, options) },
      options.mailHost,
      signal,
    )
  if (smarthost) {
    const mustBeVerified = smarthost.credentials !== undefined
    return hand({ ...smarthost, name: smarthost.host, mustBeVerified })
  }
  const domain = splitAddress(delivery.recipient)?.domain
  if (domain === undefined) return { is: 'failed', reply: '5.1.3 the recipient is not an address' }
  const found = await exchangersOf(domain, options, signal)
  if ('is' in found) return found
  const isAdmitted = await options.policies?.enforced(domain)
  const exchangers = isAdmitted ? found.filter(({ name }) => isAdmitted(name)) : found
  if (found.length > 0 && exchangers.length === 0) return noneAdmitted(domain)
  let last: AttemptResult = { is: 'deferred', reply: '4.4.1 no mail exchanger could be reached' }
  for (const { name, address } of exchangers.slice(0, EXCHANGERS_TRIED)) {
    const port = options.smtpPort(address)
    const mustBeVerified = isAdmitted !== undefined
    last = await hand({ host: address, port, name, ...NO_CREDENTIALS, mustBeVerified })
    // If this one may have taken the message, the next one must not get it.
    const isInDoubt = last.isUnanswered && delivery.isOnce
    if (last.is !== 'deferred' || isInDoubt) return last
  }
  return last
}

const NO_CREDENTIALS = { secure: false, credentials: undefined }

/** RFC 8461 section 5: no delivery then, and another try later: the policy may be about to change. */
const noneAdmitted = (domain: string): AttemptResult => ({
  is: 'deferred',
  reply: `4.7.1 the policy of ${domain} (MTA-STS) admits none of its mail exchangers`,
})

type Exchanger = { name: string; address: string }

async function exchangersOf(
  domain: string,
  options: TransferOptions,
  signal: AbortSignal,
): Promise<Exchanger[] | AttemptResult> {
  try {
    const names = await exchangerNames(domain, options.resolver, signal)
    if (names === 'unknown') return { is: 'failed', reply: `5.1.2 there is no domain ${domain}` }
    // RFC 7505: a null MX means that the domain takes no mail.
    if (names.length === 1 && names[0] === '')
      return { is: 'failed', reply: `5.1.10 ${domain} takes no mail` }
    return await addressesOf(names, options, signal)
  } catch (error) {
    if (!(error instanceof LookupFailed)) throw error
    return { is: 'deferred', reply: `4.4.3 ${error.message}` }
  }
}

/** RFC 5321 section 5.1: the MX by preference; the domain itself where there is none. */
async function exchangerNames(domain: string, resolver: Resolver, signal: AbortSignal) {
  const { rcode, records } = await resolver.resolve(domain, 'MX', signal)
  if (rcode === 'NXDOMAIN') return 'unknown'
  const exchangers = records.map(({ data }) => {
    const [preference, name] = data.split(' ')
    return { preference: Number(preference), name: (name ?? '').replace(/\.$/, '') }
  })
  if (exchangers.length === 0) return [domain]
  return exchangers.toSorted((a, b) => a.preference - b.preference).map(({ name }) => name)
}

async function addressesOf(
  names: readonly string[],
  options: TransferOptions,
  signal: AbortSignal,
) {
  const exchangers: Exchanger[] = []
  for (const name of names.slice(0, EXCHANGERS_TRIED)) {
    const { records } = await options.resolver.resolve(name, 'A', signal)
    const v6 = hasIPv6(options)
      ? (await options.resolver.resolve(name, 'AAAA', signal)).records
      : []
    for (const { data } of [...records, ...v6]) {
      if (options.mayConnect(data)) exchangers.push({ name, address: data })
    }
  }
  return exchangers
}

/** Large receivers refuse mail over IPv6 from an address without a known name. */
const hasIPv6 = ({ sourceAddresses }: TransferOptions): boolean =>
  sourceAddresses.some((a) => isIPv6(a))

function sourceFor(host: string, { sourceAddresses }: TransferOptions): string | undefined {
  return sourceAddresses.find((address) => isIPv6(address) === isIPv6(host))
}
