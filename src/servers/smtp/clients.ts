/** Limits SMTP connections: their number, shared among clients, and how slow each may be. */
import type { Socket } from 'node:net'
import { type Connection, Connections } from '../dns/defence/connections.ts'

export type ClientLimits = {
  connections: number
  /** How long a client may take to begin a message, from its connection or its last message. */
  untilDataMs: number
  /** The lowest average rate of a message, in octets a second, once the grace is over. */
  leastRate: number
  rateGraceMs: number
}

export const CLIENT_LIMITS: ClientLimits = {
  connections: 500,
  untilDataMs: 300_000,
  leastRate: 1024,
  rateGraceMs: 10_000,
}

const SWEEP_MS = 1000

export class Clients implements Disposable {
  readonly #limits: ClientLimits
  readonly #places: Connections<Client>
  readonly #byEnd = new Map<string, Client>()
  readonly #sweeping: NodeJS.Timeout

  constructor(limits: ClientLimits) {
    this.#limits = limits
    this.#places = new Connections(limits.connections)
    this.#sweeping = setInterval(() => this.#sweep(), SWEEP_MS)
    this.#sweeping.unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#sweeping)
  }

  /** Adds a connection; where all places are taken, closes another one or this one. */
  add(socket: Socket): void {
    const address = unmapped(socket.remoteAddress ?? '')
    const client = new Client(socket)
    const key = `${address} ${socket.remotePort}`
    if (!this.#places.add(client, address)) {
      client.close()
      return
    }
    this.#byEnd.set(key, client)
    socket.once('close', () => {
      this.#places.delete(client)
      this.#byEnd.delete(key)
    })
  }

  /** A message begins to arrive; disposing the result says that it has ended. */
  receiving(remoteAddress: string, remotePort: number): Disposable {
    const client = this.#byEnd.get(`${unmapped(remoteAddress)} ${remotePort}`)
    client?.beginMessage()
    return { [Symbol.dispose]: () => client?.endMessage() }
  }

  #sweep(): void {
    for (const client of this.#byEnd.values()) if (client.dawdles(this.#limits)) client.close()
  }
}

class Client implements Connection {
  readonly #socket: Socket
  #since = performance.now()
  #idleSince = performance.now()
  #octets = 0
  /** Set while a message arrives. */
  #message: { since: number; octets: number } | undefined

  constructor(socket: Socket) {
    this.#socket = socket
  }

  get idleSince(): number | undefined {
    const { bytesRead } = this.#socket
    if (bytesRead > this.#octets) [this.#octets, this.#idleSince] = [bytesRead, performance.now()]
    return this.#message ? undefined : this.#idleSince
  }

  beginMessage(): void {
    this.#message = { since: performance.now(), octets: this.#socket.bytesRead }
  }

  endMessage(): void {
    this.#message = undefined
    this.#since = performance.now()
  }

  dawdles({ untilDataMs, leastRate, rateGraceMs }: ClientLimits): boolean {
    const now = performance.now()
    void this.idleSince
    if (!this.#message) return now - this.#since > untilDataMs
    const countedMs = now - this.#message.since - rateGraceMs
    const octets = this.#socket.bytesRead - this.#message.octets
    return countedMs > 0 && octets / ((countedMs + rateGraceMs) / 1000) < leastRate
  }

  /** Closes without a reply, which would be noise inside TLS. The client tries again. */
  close(): void {
    this.#socket.destroy()
  }
}

const unmapped = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '')
