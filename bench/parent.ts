/**
 * A zone's servers that log every query: with their own code, so that their count is independent of the
 * product's. They serve as its root hints: at any other address it uses port 53.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import packet from 'dns-packet'

export type Question = { server: number; name: string; type: string; at: number }

export type Parent = AsyncDisposable & {
  /** `address:port` of each server. */
  endpoints: readonly string[]
  log: readonly Question[]
  /** From now on, all servers delegate the name to these nameservers. */
  delegate(name: string, nameservers: readonly string[]): void
}

const NXDOMAIN = 3
const TTL_S = 60

/** `glue` is the addresses of known nameservers; each delegation includes them. */
export async function startParent(
  servers: number,
  glue: Readonly<Record<string, string>> = {},
): Promise<Parent> {
  await using opened = new AsyncDisposableStack()
  const delegations = new Map<string, readonly string[]>()
  const log: Question[] = []
  const endpoints: string[] = []
  for (let server = 0; server < servers; server++) {
    const answer = (query: Buffer) => {
      const at = Date.now()
      const { id, questions } = packet.decode(query)
      const { type, name: asked } = questions![0]!
      const name = asked.toLowerCase()
      log.push({ server, name, type, at })
      const reply = { type: 'response', id, questions, ...said(name, delegations, glue) }
      return packet.encode(reply as never)
    }
    const address = `127.0.13.${server + 1}`
    const port = await listenTcp(address, answer, opened)
    await listenUdp(address, port, answer, opened)
    endpoints.push(`${address}:${port}`)
  }
  const closing = opened.move()
  return {
    endpoints,
    log,
    delegate: (name, nameservers) => void delegations.set(name, nameservers),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** A referral, or NXDOMAIN. */
function said(
  name: string,
  delegations: ReadonlyMap<string, readonly string[]>,
  glue: Readonly<Record<string, string>>,
) {
  const address = (host: string) => ({ type: 'A', name: host, ttl: TTL_S, data: glue[host] })
  if (glue[name]) return { flags: packet.AUTHORITATIVE_ANSWER, answers: [address(name)] }
  const labels = name.split('.')
  const cut = labels
    .map((_, skip) => labels.slice(skip).join('.'))
    .find((at) => delegations.has(at))
  if (cut === undefined)
    return { flags: packet.AUTHORITATIVE_ANSWER | NXDOMAIN, authorities: [SOA] }
  const authorities = delegations
    .get(cut)!
    .map((data) => ({ type: 'NS', name: cut, ttl: TTL_S, data }))
  const known = delegations.get(cut)!.filter((host) => glue[host])
  return { flags: 0, authorities, additionals: known.map(address) }
}

const SOA = {
  type: 'SOA',
  name: '.',
  ttl: TTL_S,
  data: {
    mname: 'a.test',
    rname: 'b.test',
    serial: 1,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum: 1,
  },
}

type Answer = (query: Buffer) => Buffer

async function listenTcp(address: string, answer: Answer, opened: AsyncDisposableStack) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)))
    let received = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const reply = answer(received.subarray(2))
      const length = Buffer.alloc(2)
      length.writeUInt16BE(reply.length)
      socket.end(Buffer.concat([length, reply]))
    })
  })
  await once(server.listen(0, address), 'listening')
  opened.defer(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function listenUdp(
  address: string,
  port: number,
  answer: Answer,
  opened: AsyncDisposableStack,
): Promise<void> {
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => socket.send(answer(query), from.port, from.address))
  socket.bind(port, address)
  await once(socket, 'listening')
  opened.defer(() => void socket.close())
}

/** For each server, the most queries in any window of a second. */
export function mostInASecond(log: readonly Question[]): number[] {
  const byServer = Map.groupBy(log, ({ server }) => server)
  return [...byServer.values()].map((questions) => {
    let first = 0
    const windows = questions.map(({ at }, last) => {
      while (at - questions[first]!.at >= 1000) first++
      return last - first + 1
    })
    return Math.max(...windows)
  })
}
