/** Ports that were free a moment ago, which on loopback is as good as free. */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

export async function freePort(address = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, address)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address()
  await new Promise<void>((resolve) => socket.close(resolve))
  return port
}

/**
 * A port, free for UDP and for TCP, that the system gives to nobody who asks for any: in between two uses of it
 * nobody takes it (Linux gives out those from 32768 on).
 */
export async function portNobodyIsGiven(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 20_000 + randomInt(10_000)
    if (await isFree(port)) return port
  }
  throw new Error('no port is free')
}

async function isFree(port: number): Promise<boolean> {
  const socket = createSocket('udp4')
  const server = createServer()
  try {
    socket.bind(port, '127.0.0.1')
    await once(socket, 'listening')
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    socket.close()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }
}
