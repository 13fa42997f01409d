/**
 * The threads that answer: one or more for UDP, one for TCP. The main thread writes the store and says
 * where they listen; however busy it is, they keep answering.
 */
import { availableParallelism } from 'node:os'
import type { Endpoint } from '#names/ip.ts'
import { listenOnBoth } from '../listen.ts'
import type { Listener } from '../listener.ts'
import type { ZoneStore } from '../store/store.ts'
import { COUNTER, type Defence } from './protocol.ts'
import { Thread, type ThreadOptions } from './thread.ts'
import { Transfers, type TransfersOptions } from './transfers.ts'

export type SocketsChoice = 'auto' | 'batched' | 'dgram'

export type ThreadsOptions = {
  store: ZoneStore
  /** `auto`: batched where the machine supports it, Node's own otherwise. */
  sockets: SocketsChoice
  /** Threads for UDP; by default one a core without the main thread's, and at most four. */
  udpThreads?: number
  defence: Omit<Defence, 'threads'>
  /** Answers secondaries; absent if there are none. */
  secondaries?: TransfersOptions | undefined
  onAsked(name: string): void
  onError(error: unknown): void
  /** Receives notes for the operator. */
  onNote(note: string): void
}

export type Counts = { queries: number; replies: number; truncated: number; limited: number }

const MAX_UDP_THREADS = 4
const WANTED_BUFFER_OCTETS = 4 * 2 ** 20

export class DnsThreads implements AsyncDisposable {
  /** Which sockets the threads for UDP use. */
  readonly sockets: 'batched' | 'dgram'
  readonly #udp: readonly Thread[]
  readonly #tcp: Thread
  readonly #onNote: (note: string) => void
  #ids = 0

  private constructor(
    udp: readonly Thread[],
    tcp: Thread,
    sockets: 'batched' | 'dgram',
    onNote: (note: string) => void,
  ) {
    this.#udp = udp
    this.#tcp = tcp
    this.sockets = sockets
    this.#onNote = onNote
  }

  static async start(options: ThreadsOptions): Promise<DnsThreads> {
    await using opened = new AsyncDisposableStack()
    const count = options.udpThreads ?? defaultThreads()
    const shared = {
      ...options,
      defence: { ...options.defence, threads: count },
      isOneOfMany: count > 1,
      transfers: options.secondaries && new Transfers(options.secondaries, options.onError),
    }
    const tcp = opened.use(new Thread({ ...shared, entry: 'streams' }))
    const starting = [startUdp(shared, options, count), tcp.start()] as const
    const [udp, streams] = await Promise.allSettled(starting)
    if (udp.status === 'rejected') throw udp.reason
    for (const thread of udp.value.threads) opened.use(thread)
    if (streams.status === 'rejected') throw streams.reason
    const { threads, sockets } = udp.value
    opened.move()
    return new DnsThreads(threads, tcp, sockets, options.onNote)
  }

  /** Listens over UDP and TCP on the same port; 0 is any free one. Rejects when it cannot. */
  listen(endpoint: Endpoint): Promise<Listener> {
    return listenOnBoth(endpoint, {
      tcp: (at) => this.#listen([this.#tcp], at),
      udp: async (at) => {
        const listener = await this.#listen(this.#udp, at)
        this.#warnOfSmallBuffer(endpoint, listener)
        return listener
      },
    })
  }

  /** The sums of all threads' counters since their start. */
  get counts(): Counts {
    const sum = (word: number) =>
      [...this.#udp, this.#tcp].reduce((total, { counters }) => total + (counters[word]! >>> 0), 0)
    return {
      queries: sum(COUNTER.queries),
      replies: sum(COUNTER.replies),
      truncated: sum(COUNTER.truncated),
      limited: sum(COUNTER.limited),
    }
  }

  /** Ends one thread as a crash would; for tests. */
  endOne(of: 'udp' | 'tcp'): Promise<void> {
    return (of === 'udp' ? this.#udp[0]! : this.#tcp).end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#udp, this.#tcp].map((thread) => thread[Symbol.asyncDispose]()))
  }

  async #listen(threads: readonly Thread[], endpoint: Endpoint): Promise<Listener> {
    const id = this.#ids++
    const close = async () => {
      await Promise.all(threads.map((thread) => thread.close(id)))
    }
    try {
      const all = await Promise.all(threads.map((thread) => thread.listen(id, endpoint)))
      const [{ port, receiveBufferOctets }] = all as [Awaited<ReturnType<Thread['listen']>>]
      const buffer = receiveBufferOctets === undefined ? {} : { receiveBufferOctets }
      return { address: endpoint.address, port, ...buffer, [Symbol.asyncDispose]: close }
    } catch (error) {
      await close()
      throw error
    }
  }

  #warnOfSmallBuffer({ address }: Endpoint, { receiveBufferOctets: octets }: Listener): void {
    if (octets === undefined || octets >= WANTED_BUFFER_OCTETS) return
    this.#onNote(
      `The kernel buffers ${octets} octets of DNS queries at ${address}, not ${WANTED_BUFFER_OCTETS}: raise net.core.rmem_max`,
    )
  }
}

/** On Linux the batched sockets, unless they are unavailable and not required. */
async function startUdp(
  shared: Omit<ThreadOptions, 'entry'>,
  { sockets, onNote }: ThreadsOptions,
  count: number,
): Promise<{ sockets: 'batched' | 'dgram'; threads: readonly Thread[] }> {
  const alone = { ...shared, defence: { ...shared.defence, threads: 1 }, isOneOfMany: false }
  if (sockets === 'dgram') return { sockets, threads: await startAll(alone, 'datagrams', 1) }
  try {
    return { sockets: 'batched', threads: await startAll(shared, 'packets', count) }
  } catch (error) {
    if (sockets === 'batched') throw error
    onNote(
      `This system cannot read DNS packets in batches. The nameserver reads them one by one: ${error}`,
    )
    return { sockets: 'dgram', threads: await startAll(alone, 'datagrams', 1) }
  }
}

async function startAll(
  shared: Omit<ThreadOptions, 'entry'>,
  entry: 'packets' | 'datagrams',
  count: number,
): Promise<readonly Thread[]> {
  await using opened = new AsyncDisposableStack()
  const threads = Array.from({ length: count }, () => opened.use(new Thread({ ...shared, entry })))
  await Promise.all(threads.map((thread) => thread.start()))
  opened.move()
  return threads
}

const defaultThreads = (): number =>
  Math.max(1, Math.min(availableParallelism() - 1, MAX_UDP_THREADS))
