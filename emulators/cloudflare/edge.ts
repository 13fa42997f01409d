/**
 * The HTTP server for visitors of proxied names: it redirects by the rules of their zone. It has no
 * origin, no cache and no TLS. It answers with an error for an expression that it cannot parse, so that
 * no rule silently fails to match.
 */
import { createServer, type IncomingMessage } from 'node:http'
import { ancestorsOf, isWithin } from '#names/domain-name.ts'
import type { Endpoint } from '#names/ip.ts'
import { listenHttp } from '#servers/http-listener.ts'
import { proxiedNames } from './record.ts'
import { type HeldZone, type Redirect, type Target, type World, zoneNamed } from './world.ts'

type Answer = { status: number; headers: Record<string, string>; text: string }

/** Listens for visitors; disposing it ends every connection. Rejects when it cannot listen. */
export async function startEdge(
  world: World,
  listen: Endpoint,
  onError: (error: unknown) => void,
): Promise<AsyncDisposable & Endpoint> {
  const server = createServer((request, response) => {
    const { status, headers, text } = answerVisit(world, request, onError)
    const length = Buffer.byteLength(text)
    response.writeHead(status, { ...headers, 'content-length': length }).end(text)
  })
  const listener = await listenHttp(server, listen)
  server.on('error', onError)
  return listener
}

/** A failed request never ends the edge. */
function answerVisit(
  world: World,
  request: IncomingMessage,
  onError: (error: unknown) => void,
): Answer {
  try {
    return replyTo(world, request)
  } catch (error) {
    if (error instanceof NotEmulated) return says(501, error.message)
    onError(error)
    return says(500, 'The edge of the emulator failed.')
  }
}

function replyTo(world: World, { url = '', headersDistinct }: IncomingMessage): Answer {
  const hosts = headersDistinct.host ?? []
  if (hosts.length !== 1 || !url.startsWith('/')) {
    return says(400, 'A visit needs one Host, and a path in its request line.')
  }
  const host = hostName(hosts[0]!)
  const zone = zoneOver(world, host)
  if (zone?.status !== 'active' || !isProxied(zone, host)) {
    return says(409, `No proxied record leads ${host} here.`)
  }
  const rule = leadingRule(zone, host)
  if (rule === undefined) return says(522, `No rule leads ${host} on, and there is no origin.`)
  return { status: rule.statusCode, headers: { location: locationOf(rule, url) }, text: '' }
}

const says = (status: number, sentence: string): Answer => ({
  status,
  headers: { 'content-type': 'text/plain' },
  text: `${sentence}\n`,
})

/** Without the port, which a real `http.host` would rarely have. */
const hostName = (written: string): string =>
  written.replace(/:\d*$/, '').replace(/\.$/, '').toLowerCase()

/** The closest zone: only its rules apply. */
function zoneOver(world: World, host: string): HeldZone | undefined {
  for (const name of [host, ...ancestorsOf(host)]) {
    const zone = zoneNamed(world, name)
    if (zone !== undefined) return zone
  }
  return undefined
}

/** As in the DNS: only names that it leads here, themselves or by a wildcard, are served. */
function isProxied(zone: HeldZone, host: string): boolean {
  const records = [...zone.records.values()]
  const isHeld = (name: string) =>
    name === zone.name || records.some((record) => isWithin(record.name, name))
  // RFC 4592 section 3.3.1: the wildcard is that of the closest existing name.
  const source = isHeld(host) ? host : `*.${ancestorsOf(host).find(isHeld)}`
  return proxiedNames(records).has(source)
}

/** The first matching rule redirects; later ones are ignored. */
const leadingRule = ({ redirects }: HeldZone, host: string): Redirect | undefined =>
  redirects?.rules.find(({ enabled, expression }) => enabled && hostsOf(expression).includes(host))

class NotEmulated extends Error {
  override readonly name = 'NotEmulated'

  constructor(what: string) {
    super(`This is not emulated: ${what}`)
  }
}

const QUOTED = String.raw`"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"`
const ONE_HOST = new RegExp(String.raw`^http\.host eq (${QUOTED})$`)
const SOME_HOSTS = new RegExp(String.raw`^http\.host in \{(${QUOTED}(?: ${QUOTED})*)\}$`)

/** The hosts that an expression matches. Hosts are compared as written, so only lowercase is valid. */
function hostsOf(expression: string): string[] {
  const bare = /^\((.*)\)$/.exec(expression)?.[1] ?? expression
  const quoted = ONE_HOST.exec(bare)?.[1] ?? SOME_HOSTS.exec(bare)?.[1]
  if (quoted === undefined) throw new NotEmulated(`the expression ${expression}`)
  return quoted.split(' ').map((host) => host.slice(1, -1))
}

function locationOf({ target, isQueryKept }: Redirect, url: string): string {
  const [path, query] = partsOf(url)
  const location = targetOf(target, path)
  const isAppended = isQueryKept && query !== '' && !location.includes('?')
  return isAppended ? `${location}?${query}` : location
}

function partsOf(url: string): [path: string, query: string] {
  const at = url.indexOf('?')
  return at === -1 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)]
}

/** Without a fragment, because a query would have to precede it. */
const PLAIN_URL = /^https?:\/\/[!"$-~]+$/
const HOST_AND_PATH = /^concat\("(https:\/\/[a-z0-9.-]+)", http\.request\.uri\.path\)$/

function targetOf(target: Target, path: string): string {
  if ('value' in target) {
    if (!PLAIN_URL.test(target.value)) throw new NotEmulated(`the target ${target.value}`)
    return target.value
  }
  const origin = HOST_AND_PATH.exec(target.expression)?.[1]
  if (origin === undefined) throw new NotEmulated(`the target expression ${target.expression}`)
  return origin + path
}
