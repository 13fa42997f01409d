/** DNS over TCP, RFC 7766: each message behind its length, many messages to a connection. */
import { once } from 'node:events'
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from 'node:net'
import type { Listener, ListenOptions } from './listener.ts'

const MAX_CONNECTIONS = 200
/** No query that we answer comes near this; an update or a signed one might, and is not for us. */
const MAX_QUERY_OCTETS = 4096
/** RFC 7766 section 6.2.3: an idle connection is closed after some seconds. */
const IDLE_MS = 10_000
/** However slowly a client takes a reply of many messages, it is cut off after this. */
const REPLY_MS = 10 * 60_000

export async function listenTcp(options: ListenOptions): Promise<Listener> {
  const open = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    // All that can fail here is the connection, and that is the client's affair.
    socket.on('error', () => {})
    converse(socket, options).catch(() => socket.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  await bind(server, options)
  server.on('error', options.onError)
  return {
    address: options.address,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => close(server, open),
  }
}

async function bind(server: Server, { address, port }: ListenOptions): Promise<void> {
  const listening = once(server, 'listening')
  server.listen({ host: address, port, ipv6Only: isIPv6(address) })
  await listening
}

async function close(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  for (const socket of open) socket.destroy()
  await closed
}

/**
 * One query after the other, and none is read before the last reply has left: that bounds what a
 * client can make us hold. Whoever does not finish a query, or does not read a reply, in time is cut off.
 */
async function converse(socket: Socket, options: ListenOptions): Promise<void> {
  const { answer, onError } = options
  const remote = socket.remoteAddress ?? ''
  const idle = setTimeout(() => socket.destroy(), IDLE_MS)
  socket.on('close', () => clearTimeout(idle))
  for await (const query of queriesIn(socket)) {
    idle.refresh()
    const first = await Promise.try(sendFirst, socket, query, idle, options).catch(onError)
    if (first === 'sent') continue
    const reply = await Promise.try(answer, query, 'tcp', remote).catch(onError)
    if (reply) await send(socket, reply)
  }
  socket.destroy()
}

/** Cuts a stream into messages. Ends with the stream, or before a message that is too long. */
async function* queriesIn(socket: Socket): AsyncGenerator<Buffer> {
  let unread = Buffer.alloc(0)
  for await (const chunk of socket) {
    unread = Buffer.concat([unread, chunk as Buffer])
    while (unread.length >= 2) {
      const length = unread.readUInt16BE(0)
      if (length > MAX_QUERY_OCTETS) return
      if (unread.length < 2 + length) break
      yield unread.subarray(2, 2 + length)
      unread = unread.subarray(2 + length)
    }
  }
}

/**
 * Sends what is answered before the ordinary answer, if anything is. The next message is made when the kernel
 * has the one before, so that a slow client makes us hold one.
 */
async function sendFirst(
  socket: Socket,
  query: Buffer,
  idle: NodeJS.Timeout,
  { answerFirst }: ListenOptions,
): Promise<'sent' | undefined> {
  const messages = answerFirst?.(query, 'tcp', socket.remoteAddress ?? '')
  if (messages === undefined) return undefined
  const limit = setTimeout(() => socket.destroy(), REPLY_MS)
  try {
    for (const message of messages) {
      await send(socket, message)
      if (socket.destroyed) break
      idle.refresh()
    }
    return 'sent'
  } catch (error) {
    socket.destroy() // What was begun cannot be ended.
    throw error
  } finally {
    clearTimeout(limit)
  }
}

/** Waits until the kernel has the reply, or the connection is gone. */
function send(socket: Socket, reply: Buffer): Promise<void> {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(reply.length)
  // RFC 7766 section 8: length and message leave in one write.
  return new Promise((done) => socket.write(Buffer.concat([length, reply]), () => done()))
}
