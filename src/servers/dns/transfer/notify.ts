/**
 * Sends NOTIFY to secondaries (RFC 1996). Each has its own queue, so that a silent one delays no other.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6, SocketAddress } from 'node:net'
import { type Endpoint, writeEndpoint } from '#names/ip.ts'
import { NotifyQueue, type NotifyQueueOptions } from './notify-queue.ts'

/** Changes are batched for so long. */
const GATHER_MS = 100

export type NotifierOptions = NotifyQueueOptions & {
  secondaries: readonly Endpoint[]
  /** Local addresses to send from, known to secondaries; any of the right family may be used. */
  from: readonly string[]
  onError(error: unknown): void
}

export class Notifier implements AsyncDisposable {
  readonly #queues: readonly NotifyQueue[]
  readonly #sockets: AsyncDisposable
  readonly #batched = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  private constructor(queues: readonly NotifyQueue[], sockets: AsyncDisposable) {
    this.#queues = queues
    this.#sockets = sockets
  }

  static async open(options: NotifierOptions): Promise<Notifier> {
    await using opened = new AsyncDisposableStack()
    const sockets = new Map<boolean, Socket>()
    for (const v6 of new Set(options.secondaries.map(({ address }) => isIPv6(address)))) {
      const socket = await openSocket(v6, options)
      opened.defer(() => new Promise<void>((done) => socket.close(() => done())))
      sockets.set(v6, socket)
    }
    const queues = new Map(
      options.secondaries.map((secondary) => {
        const socket = sockets.get(isIPv6(secondary.address))!
        return [placeOf(secondary), new NotifyQueue(secondary, socket, options)]
      }),
    )
    for (const socket of sockets.values())
      socket.on('message', (message, from) => queues.get(placeOf(from))?.hear(message))
    return new Notifier([...queues.values()], opened.move())
  }

  /** The zone of this apex has changed. */
  changed(apex: string): void {
    if (this.#queues.length === 0) return
    this.#batched.add(apex)
    this.#timer ??= setTimeout(() => this.#flush(), GATHER_MS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer)
    for (const queue of this.#queues) queue[Symbol.dispose]()
    await this.#sockets[Symbol.asyncDispose]()
  }

  #flush(): void {
    this.#timer = undefined
    for (const queue of this.#queues) queue.add(this.#batched)
    this.#batched.clear()
  }
}

/** The same text for all spellings of an address. */
function placeOf({ address, port }: Endpoint): string {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  return writeEndpoint({ address: new SocketAddress({ address, family }).address, port })
}

async function openSocket(v6: boolean, { from, onError }: NotifierOptions): Promise<Socket> {
  const address = from.find((each) => isIPv6(each) === v6)
  const socket = createSocket({ type: v6 ? 'udp6' : 'udp4', ipv6Only: v6 })
  socket.bind({ port: 0, ...(address === undefined ? {} : { address }) })
  await once(socket, 'listening')
  socket.on('error', onError)
  return socket
}
