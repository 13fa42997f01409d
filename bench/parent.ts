/**
 * A zone's servers that write down every question: with their own code, so that what they counted is
 * no opinion of the product's. They are to be its root hints, for at any other address it asks port 53.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import packet from 'dns-packet'

export type Question = { server: number; name: string; at: number }

export type Parent = AsyncDisposable & {
  /** `address:port` of each server. */
  endpoints: readonly string[]
  log: readonly Question[]
  /** All servers show these nameservers from now on. */
  delegate(name: string, nameservers: readonly string[]): void
}

const NXDOMAIN = 3
const TTL_S = 60

export async function startParent(servers: number): Promise<Parent> {
  await using opened = new AsyncDisposableStack()
  const delegations = new Map<string, readonly string[]>()
  const log: Question[] = []
  const endpoints: string[] = []
  for (let server = 0; server < servers; server++) {
    const answer = (query: Buffer) => {
      const at = Date.now()
      const { id, questions } = packet.decode(query)
      const name = questions![0]!.name.toLowerCase()
      log.push({ server, name, at })
      return packet.encode({ type: 'response', id, questions, ...said(name, delegations) } as never)
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

/** A referral, or that there is no such name. */
function said(name: string, delegations: ReadonlyMap<string, readonly string[]>) {
  const labels = name.split('.')
  const cut = labels
    .map((_, skip) => labels.slice(skip).join('.'))
    .find((at) => delegations.has(at))
  if (cut === undefined)
    return { flags: packet.AUTHORITATIVE_ANSWER | NXDOMAIN, authorities: [SOA] }
  const authorities = delegations
    .get(cut)!
    .map((data) => ({ type: 'NS', name: cut, ttl: TTL_S, data }))
  return { flags: 0, authorities }
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
