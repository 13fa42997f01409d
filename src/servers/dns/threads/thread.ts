/** The main thread's handle of one answering thread: starts it, and starts it again when it dies. */
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Endpoint } from '#names/ip.ts'
import type { Reader, ZoneStore } from '../store/store.ts'
import {
  COUNTER,
  COUNTERS,
  type Defence,
  type FromThread,
  MAX_LISTENERS,
  type ThreadData,
  type ToThread,
} from './protocol.ts'
import type { ThreadTransfers, Transfers } from './transfers.ts'

export type Entry = 'packets' | 'datagrams' | 'streams'

export type ThreadOptions = {
  entry: Entry
  store: ZoneStore
  defence: Defence
  isOneOfMany: boolean
  /** Absent without secondaries. */
  transfers?: Transfers | undefined
  onAsked(name: string): void
  onError(error: unknown): void
}

export type Listening = { port: number; receiveBufferOctets: number | undefined }

const RESTART_MS = 1000
const START_MS = 30_000
const ANSWER_MS = 15_000
const STOP_MS = 1000

const ENTRIES: Readonly<Record<Entry, URL>> = {
  packets: new URL('./packets.ts', import.meta.url),
  datagrams: new URL('./datagrams.ts', import.meta.url),
  streams: new URL('./streams.ts', import.meta.url),
}

export class Thread implements AsyncDisposable {
  readonly counters = new Int32Array(new SharedArrayBuffer(4 * COUNTERS))
  readonly #descriptors = new Int32Array(new SharedArrayBuffer(4 * MAX_LISTENERS))
  readonly #options: ThreadOptions
  readonly #endpoints = new Map<number, Endpoint>()
  readonly #waiting = new Map<number, PromiseWithResolvers<Listening>>()
  readonly #closing = new Map<number, PromiseWithResolvers<void>>()
  readonly #stopping = new AbortController()
  #worker: Worker | undefined
  #ended: Promise<unknown> = Promise.resolve()
  #restarting: Promise<void> = Promise.resolve()

  constructor(options: ThreadOptions) {
    this.#options = options
  }

  /** Resolves when the thread can listen; rejects, and cleans up, when it cannot be started. */
  async start(): Promise<void> {
    const ready = Promise.withResolvers<void>()
    const reader = this.#options.store.attach((growth) => this.#post({ is: 'growth', growth }))
    const worker = new Worker(ENTRIES[this.#options.entry], { workerData: this.#dataFor(reader) })
    this.#worker = worker
    const transfers = this.#options.transfers?.open((message, moved) =>
      worker.postMessage(message, moved),
    )
    worker.on('message', (message: FromThread) => {
      if (message.is === 'ready') ready.resolve()
      else this.#hear(message, reader, transfers)
    })
    worker.on('error', (error) => ready.reject(error))
    const ended = Promise.withResolvers<void>()
    this.#ended = ended.promise
    worker.on('exit', () => {
      reader.detach()
      transfers?.[Symbol.dispose]()
      ready.reject(new Error(`A thread for DNS ${this.#options.entry} has ended`))
      this.#failWaiting()
      ended.resolve()
    })
    const timer = setTimeout(() => {
      ready.reject(new Error(`A thread for DNS ${this.#options.entry} did not start`))
      worker.terminate()
    }, START_MS)
    await ready.promise.finally(() => clearTimeout(timer))
    worker.on('error', this.#options.onError)
    worker.on('exit', () => this.#restart())
  }

  /** Rejects with the `code` of the system's error when the thread cannot listen there. */
  async listen(id: number, endpoint: Endpoint): Promise<Listening> {
    const waiting = Promise.withResolvers<Listening>()
    this.#waiting.set(id, waiting)
    this.#post({ is: 'listen', id, address: endpoint.address, port: endpoint.port })
    const timer = setTimeout(() => waiting.reject(new Error('No word from the thread')), ANSWER_MS)
    try {
      const listening = await waiting.promise
      this.#endpoints.set(id, { address: endpoint.address, port: listening.port })
      return listening
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(id)
    }
  }

  /** Resolves when the thread no longer listens there. */
  async close(id: number): Promise<void> {
    this.#endpoints.delete(id)
    const closed = Promise.withResolvers<void>()
    this.#closing.set(id, closed)
    this.#post({ is: 'close', id })
    const timer = setTimeout(closed.resolve, ANSWER_MS)
    await Promise.race([closed.promise, this.#ended])
    clearTimeout(timer)
    this.#closing.delete(id)
  }

  /** Ends the thread as a crash would. */
  async end(): Promise<void> {
    await this.#worker?.terminate()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#restarting
    Atomics.store(this.counters, COUNTER.stop, 1)
    Atomics.notify(this.counters, COUNTER.stop)
    this.#post({ is: 'stop' })
    const timer = setTimeout(() => this.#worker?.terminate(), STOP_MS)
    await this.#ended.finally(() => clearTimeout(timer))
  }

  #dataFor({ shared, slot }: Reader): ThreadData {
    const { defence, isOneOfMany } = this.#options
    const descriptors = this.#descriptors
    const transfers = this.#options.transfers?.terms
    return { shared, slot, defence, counters: this.counters, isOneOfMany, descriptors, transfers }
  }

  #post(message: ToThread): void {
    this.#worker?.postMessage(message)
  }

  #hear(message: FromThread, reader: Reader, transfers: ThreadTransfers | undefined): void {
    transfers?.hear(message)
    if (message.is === 'acknowledged') reader.acknowledge(message.number)
    if (message.is === 'asked') this.#options.onAsked(message.name)
    if (message.is === 'trouble') this.#options.onError(new Error(message.message))
    if (message.is === 'listening') this.#waiting.get(message.id)?.resolve(message)
    if (message.is === 'closed') this.#closing.get(message.id)?.resolve()
    if (message.is === 'refused') {
      const { code } = message
      this.#waiting.get(message.id)?.reject(Object.assign(new Error(message.message), { code }))
    }
  }

  #failWaiting(): void {
    for (const { reject } of this.#waiting.values()) reject(new Error('The thread has ended'))
  }

  #restart(): void {
    if (this.#stopping.signal.aborted) return
    this.#options.onError(
      new Error(`A thread for DNS ${this.#options.entry} has ended; it is started anew`),
    )
    this.#restarting = this.#startAgain().catch((error) => {
      if (this.#stopping.signal.aborted) return
      this.#options.onError(error)
      this.#restart()
    })
  }

  async #startAgain(): Promise<void> {
    await delay(RESTART_MS, undefined, { signal: this.#stopping.signal })
    await this.start()
    try {
      const endpoints = [...this.#endpoints]
      await Promise.all(endpoints.map(([id, endpoint]) => this.listen(id, endpoint)))
    } catch (error) {
      this.#options.onError(error)
      await this.end() // The exit restarts it.
    }
  }
}
