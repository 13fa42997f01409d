/** Listens for DNS queries at one address, by UDP and TCP on the same port. */
import { isIPv6 } from 'node:net'
import type { Listener, ListenOptions } from './listener.ts'
import { listenTcp } from './tcp.ts'
import { listenUdp } from './udp.ts'

const MAX_PORT_TRIES = 20

export async function listenDns(options: ListenOptions): Promise<Listener> {
  for (let triesLeft = options.port === 0 ? MAX_PORT_TRIES : 1; ; triesLeft--) {
    try {
      return await listenOnBoth(options)
    } catch (error) {
      if (triesLeft > 1 && isPortTaken(error)) continue
      const where = isIPv6(options.address) ? `[${options.address}]` : options.address
      const why = error instanceof Error ? error.message : String(error)
      throw new Error(`Cannot listen for DNS at ${where}:${options.port}: ${why}`, { cause: error })
    }
  }
}

/** TCP first, for its free ports are the scarcer; whatever listens is closed if the other cannot. */
async function listenOnBoth(options: ListenOptions): Promise<Listener> {
  await using opened = new AsyncDisposableStack()
  const { port } = opened.use(await listenTcp(options))
  opened.use(await listenUdp({ ...options, port }))
  const both = opened.move()
  return { address: options.address, port, [Symbol.asyncDispose]: () => both.disposeAsync() }
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}
