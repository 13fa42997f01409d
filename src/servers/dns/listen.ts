/** Listens for DNS queries at one address, by UDP and TCP on the same port. */
import { isIPv6 } from 'node:net'
import type { Endpoint } from '#names/ip.ts'
import type { Listener, ListenOptions } from './listener.ts'
import { listenTcp } from './tcp.ts'
import { listenUdp } from './udp.ts'

const MAX_PORT_TRIES = 20

/** Listens in this thread. */
export function listenDns(options: ListenOptions): Promise<Listener> {
  return listenOnBoth(options, {
    tcp: ({ port }) => listenTcp({ ...options, port }),
    udp: ({ port }) => listenUdp({ ...options, port }),
  })
}

type Ways = Record<'tcp' | 'udp', (endpoint: Endpoint) => Promise<Listener>>

export async function listenOnBoth({ address, port }: Endpoint, ways: Ways): Promise<Listener> {
  for (let triesLeft = port === 0 ? MAX_PORT_TRIES : 1; ; triesLeft--) {
    try {
      return await listenOnce({ address, port }, ways)
    } catch (error) {
      if (triesLeft > 1 && isPortTaken(error)) continue
      const where = isIPv6(address) ? `[${address}]` : address
      const why = error instanceof Error ? error.message : String(error)
      throw new Error(`Cannot listen for DNS at ${where}:${port}: ${why}`, { cause: error })
    }
  }
}

/** TCP first, because free TCP ports are scarcer; if one of the two fails, the other is closed. */
async function listenOnce({ address, port: wanted }: Endpoint, ways: Ways): Promise<Listener> {
  await using opened = new AsyncDisposableStack()
  const { port } = opened.use(await ways.tcp({ address, port: wanted }))
  opened.use(await ways.udp({ address, port }))
  const both = opened.move()
  return { address, port, [Symbol.asyncDispose]: () => both.disposeAsync() }
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}
