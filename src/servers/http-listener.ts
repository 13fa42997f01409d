import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Endpoint } from '#names/ip.ts'

/** Listens; disposing it ends every connection. Rejects when it cannot listen. */
export async function listenHttp(
  server: Server,
  { address, port }: Endpoint,
): Promise<AsyncDisposable & Endpoint> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen(port, address, resolve)
  await promise
  server.off('error', reject)
  return {
    address,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
