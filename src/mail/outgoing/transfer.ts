/** One attempt to hand one message to its recipient's mail exchanger (RFC 5321 section 5.1). */
import { isIP, isIPv6 } from 'node:net'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { splitAddress } from '#names/localpart.ts'
import { LookupFailed, type Resolver } from '#resolver/resolver.ts'

export type Delivery = { envelopeSender: string; recipient: string; raw: Buffer }

export type AttemptResult =
  | { is: 'delivered'; reply: string }
  | { is: 'deferred'; reply: string }
  | { is: 'failed'; reply: string }

export type TransferOptions = {
  resolver: Resolver
  /** The name we say in EHLO. */
  mailHost: string
  smtpPort(address: string): number
  mayConnect(address: string): boolean
  /** Local addresses to send from; empty lets the system choose. */
  sourceAddresses: readonly string[]
  /** Where all mail goes instead, when one is configured. */
  smarthost: Smarthost | undefined
}

export type Smarthost = {
  host: string
  port: number
  secure: boolean
  credentials: { user: string; password: string } | undefined
}

const CONNECT_MS = 20_000
// RFC 5321 section 4.5.3.2 allows minutes for each command; a slow reply defers the message.
const SOCKET_MS = 60_000
const EXCHANGERS_TRIED = 5

/** Tries the exchangers in order of preference until one answers for good or ill. */
export async function transfer(
  delivery: Delivery,
  options: TransferOptions,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const { smarthost } = options
  if (smarthost) return attempt(delivery, { ...smarthost, name: smarthost.host }, options, signal)
  const exchangers = await exchangersOf(delivery.recipient, options, signal)
  if ('is' in exchangers) return exchangers
  let last: AttemptResult = { is: 'deferred', reply: '4.4.1 no mail exchanger could be reached' }
  for (const { name, address } of exchangers.slice(0, EXCHANGERS_TRIED)) {
    const port = options.smtpPort(address)
    last = await attempt(
      delivery,
      { host: address, port, name, secure: false, credentials: undefined },
      options,
      signal,
    )
    if (last.is !== 'deferred') return last
  }
  return last
}

type Exchanger = { name: string; address: string }

async function exchangersOf(
  recipient: string,
  options: TransferOptions,
  signal: AbortSignal,
): Promise<Exchanger[] | AttemptResult> {
  const domain = splitAddress(recipient)?.domain
  if (domain === undefined) return { is: 'failed', reply: '5.1.3 the recipient is not an address' }
  try {
    const names = await exchangerNames(domain, options.resolver, signal)
    if (names === 'unknown') return { is: 'failed', reply: `5.1.2 there is no domain ${domain}` }
    // RFC 7505: a null MX says that no mail is wanted.
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

/** Without an IPv6 source address of known name, large receivers refuse what comes over IPv6. */
const hasIPv6 = ({ sourceAddresses }: TransferOptions): boolean =>
  sourceAddresses.some((a) => isIPv6(a))

type Peer = Smarthost & { name: string }

function sourceFor(peer: Peer, { sourceAddresses }: TransferOptions): string | undefined {
  return sourceAddresses.find((address) => isIPv6(address) === isIPv6(peer.host))
}

async function attempt(
  delivery: Delivery,
  peer: Peer,
  options: TransferOptions,
  signal: AbortSignal,
): Promise<AttemptResult> {
  const localAddress = sourceFor(peer, options)
  const connection = new SMTPConnection({
    host: peer.host,
    port: peer.port,
    secure: peer.secure,
    name: options.mailHost,
    opportunisticTLS: true,
    // RFC 7435: encrypted to whoever answers is better than not encrypted at all.
    tls: {
      rejectUnauthorized: peer.credentials !== undefined,
      // RFC 6066 section 3: a server name is a name, never an address.
      ...(isIP(peer.name) === 0 && { servername: peer.name }),
    },
    connectionTimeout: CONNECT_MS,
    greetingTimeout: CONNECT_MS,
    socketTimeout: SOCKET_MS,
    ...(localAddress === undefined ? {} : { localAddress }),
  })
  const abort = () => connection.close()
  signal.addEventListener('abort', abort, { once: true })
  try {
    const result = await session(connection, delivery, peer)
    // What was delivered, or refused, stays so, however late it was.
    if (result.is === 'deferred') signal.throwIfAborted()
    return result
  } finally {
    signal.removeEventListener('abort', abort)
    connection.close()
  }
}

function session(
  connection: SMTPConnection,
  delivery: Delivery,
  peer: Peer,
): Promise<AttemptResult> {
  const { promise, resolve } = Promise.withResolvers<AttemptResult>()
  connection.on('error', (error: unknown) => resolve(resultOf(error)))
  connection.on('end', () => {
    // RFC 5321 section 3.8: a server that closes says so with 421, and perhaps why.
    const said = String(connection.lastServerResponse || '')
    const reply = said.startsWith('4') ? said : '4.4.2 the connection was closed'
    resolve({ is: 'deferred', reply })
  })
  const hand = () => {
    const envelope = { from: delivery.envelopeSender, to: [delivery.recipient] }
    connection.send(envelope, delivery.raw, (error: unknown, info?: { response?: string }) => {
      if (!error) connection.quit()
      resolve(error ? resultOf(error) : { is: 'delivered', reply: info?.response ?? '' })
    })
  }
  connection.connect((error?: unknown) => {
    if (error) return resolve(resultOf(error))
    if (!peer.credentials) return hand()
    const { user, password: pass } = peer.credentials
    connection.login({ user, pass }, (refused: unknown) => {
      // Our own credentials are wrong: no fault of the message.
      if (refused) resolve({ is: 'deferred', reply: '4.7.8 the smarthost refused our credentials' })
      else hand()
    })
  })
  return promise
}

/** RFC 5321 section 4.2.1: a 5yz reply is permanent; anything else is worth another try. */
function resultOf(error: unknown): AttemptResult {
  const code = error instanceof Error && 'responseCode' in error ? Number(error.responseCode) : 0
  const said = error instanceof Error && 'response' in error ? String(error.response) : ''
  const reply = said || (error instanceof Error ? `4.4.1 ${error.message}` : '4.4.1 no connection')
  return { is: code >= 500 && code < 600 ? 'failed' : 'deferred', reply }
}
