/** What stands where Postgres is to be, and is not Postgres yet. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

export type Impostor = AsyncDisposable & { url: string }

/**
 * Takes connections and answers each with this SQLSTATE, or never with a word. Names are those of the
 * protocol's ErrorResponse.
 */
export async function impostor(code?: string, message = 'no'): Promise<Impostor> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    if (code) socket.once('data', () => socket.end(errorResponse(code, message)))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `postgres://someone:hunter2@127.0.0.1:${port}/mailstead`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function errorResponse(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(4 + fields.length, 1)
  return Buffer.concat([head, fields])
}
