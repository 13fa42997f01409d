// Restarts the server each time it ends, until disposed.
import { setTimeout as sleep } from 'node:timers/promises'
import { backOffMs } from '../clock.ts'
import type { Server as PostgresServer } from './server.ts'

const PAUSES = { firstMs: 100, mostMs: 60_000 }
/** After this uptime, failures count from zero again. */
const HEALTHY_MS = 300_000

/** What is supervised. */
export type Server = Pick<PostgresServer, 'pid' | 'ended' | typeof Symbol.asyncDispose>
type Launch = (signal: AbortSignal) => Promise<Server>

/** `onTrouble`: the server ended, or a start failed; `onLog`: the server runs again. */
export type Listeners = {
  readonly onLog: (line: string) => void
  readonly onTrouble: (sentence: string) => void
}

/** The pause before a start, by failures in a row: 100 ms, doubled up to a minute. */
export const pauseMs = (failures: number): number => backOffMs(PAUSES, failures)

/** Restarts a server that ends by itself, after growing pauses, without limit. */
export class Supervisor implements AsyncDisposable {
  readonly #name: string
  readonly #launch: Launch
  readonly #listeners: Listeners
  readonly #stopping = new AbortController()
  readonly #loop: Promise<void>
  #server: Server | undefined
  /** How many starts in a row failed, or led to a server that ended within `HEALTHY_MS`. */
  #failures = 0

  /** Watches `server`, which runs already, and runs `launch` for each next one. */
  constructor(name: string, server: Server, launch: Launch, listeners: Listeners) {
    this.#name = name
    this.#launch = launch
    this.#listeners = listeners
    this.#loop = this.#watch(server)
  }

  /** The pid of the server; undefined between two servers and after the last. */
  get pid(): number | undefined {
    return this.#server?.pid
  }

  /** Ends the server for good, within 14 s. Safe to call again. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#server?.[Symbol.asyncDispose]()
    await this.#loop
  }

  async #watch(first: Server): Promise<void> {
    this.#server = first
    while (this.#server) {
      const startedAt = performance.now()
      const how: string = await this.#server.ended
      this.#server = undefined
      if (this.#stopping.signal.aborted) return
      if (performance.now() - startedAt >= HEALTHY_MS) this.#failures = 0
      this.#server = await this.#next(`${this.#name} ended by itself (${how})`)
    }
  }

  /** Undefined once disposed. */
  async #next(ending: string): Promise<Server | undefined> {
    let trouble = ending
    for (;;) {
      const ms = pauseMs(this.#failures++)
      this.#listeners.onTrouble(`${trouble}; Mailstead restarts it in ${ms} ms`)
      try {
        return await this.#restart(ms)
      } catch (error) {
        if (this.#stopping.signal.aborted) return undefined
        trouble = String(error)
      }
    }
  }

  async #restart(ms: number): Promise<Server> {
    const { signal } = this.#stopping
    await sleep(ms, undefined, { signal })
    const server = await this.#launch(signal)
    this.#listeners.onLog(`${this.#name} runs again`)
    return server
  }
}
