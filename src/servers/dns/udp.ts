/** DNS over UDP: a packet in, at most one packet out. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import type { Listener, ListenOptions } from './listener.ts'

/** Queries under way at once; more are dropped, and resolvers ask again. */
const MAX_PENDING = 1000
const RECEIVE_BUFFER_OCTETS = 4 * 2 ** 20

export async function listenUdp(options: ListenOptions): Promise<Listener> {
  const socket = await bind(options)
  let pending = 0
  let isOpen = true
  socket.on('error', options.onError)
  socket.on('message', (query, remote) => {
    if (pending >= MAX_PENDING) return
    try {
      const messages = options.answerFirst?.(query, 'udp', remote.address)
      const reply = messages ? firstOf(messages) : options.answer(query, 'udp', remote.address)
      if (reply instanceof Promise) answerLater(reply, remote)
      else if (reply) send(socket, reply, remote, options)
    } catch (error) {
      options.onError(error)
    }
  })
  async function answerLater(
    later: Promise<Buffer | undefined>,
    remote: RemoteInfo,
  ): Promise<void> {
    pending++
    const reply = await later.catch(options.onError)
    pending--
    if (reply && isOpen) send(socket, reply, remote, options)
  }
  return {
    address: options.address,
    port: socket.address().port,
    receiveBufferOctets: widenReceiveBuffer(socket),
    [Symbol.asyncDispose]() {
      isOpen = false
      return new Promise<void>((done) => socket.close(done))
    },
  }
}

/** A reply over UDP is one message. */
async function firstOf(messages: AsyncIterable<Buffer>): Promise<Buffer | undefined> {
  for await (const message of messages) return message
  return undefined
}

async function bind({ address, port }: ListenOptions): Promise<Socket> {
  const v6 = isIPv6(address)
  const socket = createSocket({ type: v6 ? 'udp6' : 'udp4', ipv6Only: v6, lookup })
  const listening = once(socket, 'listening')
  socket.bind({ address, port })
  try {
    await listening
    return socket
  } catch (error) {
    socket.close()
    throw error
  }
}

/** Every address is numeric already; without this, each packet sent would wait for an event-loop turn. */
function lookup(
  address: string,
  _options: unknown,
  found: (error: null, address: string, family: number) => void,
): void {
  found(null, address, isIPv6(address) ? 6 : 4)
}

/** Asks for room for a burst; returns how much the kernel gave. */
function widenReceiveBuffer(socket: Socket): number {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_OCTETS)
  } catch {
    // Some kernels refuse a size that Linux cuts down; the return value says what there is.
  }
  const octets = socket.getRecvBufferSize()
  // Linux doubles the size for its own bookkeeping.
  return process.platform === 'linux' ? octets / 2 : octets
}

function send(socket: Socket, reply: Buffer, remote: RemoteInfo, { onError }: ListenOptions): void {
  // No client has port 0: such a source is forged, and a packet to it cannot be sent.
  if (remote.port === 0) return
  socket.send(reply, remote.port, remote.address, (error) => {
    if (error) onError(error)
  })
}
