/** DNS over TCP, RFC 7766: each message behind its length, many messages to a connection. */
import { once } from 'node:events'
import { type AddressInfo, createServer, isIPv6, type Server, type Socket } from 'node:net'
import { type Connection, Connections } from './defence/connections.ts'
import type { Listener, ListenOptions } from './listener.ts'

const MAX_CONNECTIONS = 200
/** No query that we answer comes near this; an update or a signed query might, and we serve neither. */
const MAX_QUERY_OCTETS = 4096
/** RFC 7766 section 6.2.3: an idle connection is closed after some seconds. */
const IDLE_MS = 10_000
/** The limit for a reply of many messages, however slowly the client reads. */
const REPLY_MS = 10 * 60_000

export async function listenTcp(options: ListenOptions): Promise<Listener> {
  const connections = new Connections<Conversation>(MAX_CONNECTIONS)
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    // Only the connection can fail here, and that concerns the client alone.
    socket.on('error', () => {})
    const conversation = new Conversation(socket, options)
    socket.on('close', () => connections.delete(conversation))
    if (connections.add(conversation, conversation.remote)) conversation.hold()
    else conversation.close()
  })
  await bind(server, options)
  server.on('error', options.onError)
  return {
    address: options.address,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () => close(server, connections),
  }
}

async function bind(server: Server, { address, port }: ListenOptions): Promise<void> {
  const listening = once(server, 'listening')
  server.listen({ host: address, port, ipv6Only: isIPv6(address) })
  await listening
}

async function close(server: Server, connections: Connections<Conversation>): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  connections.closeAll()
  await closed
}

/**
 * Answers one query after the other, and reads none before the last reply has left: this bounds the
 * memory that a client costs. A client that does not finish a query or read a reply in time is cut off.
 */
class Conversation implements Connection {
  readonly remote: string
  idleSince: number | undefined = performance.now()
  readonly #socket: Socket
  readonly #options: ListenOptions

  constructor(socket: Socket, options: ListenOptions) {
    this.#socket = socket
    this.#options = options
    this.remote = socket.remoteAddress ?? ''
  }

  close(): void {
    this.#socket.destroy()
  }

  hold(): void {
    this.#converse().catch(() => this.close())
  }

  async #converse(): Promise<void> {
    const { answer, answerFirst, onError } = this.#options
    const idle = setTimeout(() => this.close(), IDLE_MS)
    this.#socket.on('close', () => clearTimeout(idle))
    for await (const query of queriesIn(this.#socket)) {
      idle.refresh()
      this.idleSince = undefined
      const messages = answerFirst?.(query, 'tcp', this.remote)
      const reply = messages
        ? await this.#sendAll(messages, idle)
        : await Promise.try(answer, query, 'tcp', this.remote).catch(onError)
      if (reply) await send(this.#socket, reply)
      this.idleSince = performance.now()
    }
    this.close()
  }

  /**
   * Requests the next message once the kernel has the one before, so that a slow client makes us hold
   * one. A failure closes the connection, because the reply that was begun cannot be ended.
   */
  async #sendAll(messages: AsyncIterable<Buffer>, idle: NodeJS.Timeout): Promise<undefined> {
    const limit = setTimeout(() => this.close(), REPLY_MS)
    try {
      for await (const message of messages) {
        await send(this.#socket, message)
        if (this.#socket.destroyed) break
        idle.refresh()
      }
    } finally {
      clearTimeout(limit)
    }
  }
}

/** Splits a stream into messages. Ends with the stream, or before a message that is too long. */
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

/** Waits until the kernel has the reply, or the connection is gone. */
function send(socket: Socket, reply: Buffer): Promise<void> {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(reply.length)
  // RFC 7766 section 8: length and message leave in one write.
  return new Promise((done) => socket.write(Buffer.concat([length, reply]), () => done()))
}
