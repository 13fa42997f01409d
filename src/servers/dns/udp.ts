/** DNS over UDP: a packet in, at most one packet out. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'
import type { Listener, ListenOptions } from './listener.ts'

/** Queries under way at once; more are dropped, and asked again by whoever still wants to know. */
const MAX_PENDING = 1000

export async function listenUdp(options: ListenOptions): Promise<Listener> {
  const socket = await bind(options)
  let pending = 0
  let isOpen = true
  socket.on('error', options.onError)
  socket.on('message', async (query, remote) => {
    if (pending >= MAX_PENDING) return
    pending++
    const reply = await Promise.try(answerOne, options, query, remote.address).catch(
      options.onError,
    )
    pending--
    if (reply && isOpen) send(socket, reply, remote, options)
  })
  return {
    address: options.address,
    port: socket.address().port,
    [Symbol.asyncDispose]() {
      isOpen = false
      return new Promise<void>((done) => socket.close(done))
    },
  }
}

function answerOne({ answer, answerFirst }: ListenOptions, query: Buffer, remote: string) {
  const messages = answerFirst?.(query, 'udp', remote)
  if (messages === undefined) return answer(query, 'udp', remote)
  for (const message of messages) return message // There is no other over UDP.
  return undefined
}

async function bind({ address, port }: ListenOptions): Promise<Socket> {
  const v6 = isIPv6(address)
  const socket = createSocket({ type: v6 ? 'udp6' : 'udp4', ipv6Only: v6 })
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

function send(socket: Socket, reply: Buffer, remote: RemoteInfo, { onError }: ListenOptions): void {
  // Port 0 is nobody's: a packet from there was forged, and one to there cannot be sent.
  if (remote.port === 0) return
  socket.send(reply, remote.port, remote.address, (error) => {
    if (error) onError(error)
  })
}
