// Keeps one server running until disposed, or until it dies too often to be worth it.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Server } from './server.ts'

const MAX_RESTARTS = 5
const RESTART_WINDOW_MS = 300_000
const FIRST_PAUSE_MS = 100

type Launch = (signal: AbortSignal) => Promise<Server>

/** Restarts a server that ends by itself: at most 5 times in 5 minutes, after growing pauses. */
export class Supervisor implements AsyncDisposable {
  readonly #launch: Launch
  readonly #onLog: (line: string) => void
  readonly #stopping = new AbortController()
  readonly #loop: Promise<void>
  #server: Server | undefined
  /** When the latest restarts were, on the monotonic clock, in milliseconds. */
  #restarts: number[] = []

  /** Watches `server`, which runs already, and runs `launch` for each next one. */
  constructor(server: Server, launch: Launch, onLog: (line: string) => void) {
    this.#launch = launch
    this.#onLog = onLog
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
      const how: string = await this.#server.ended
      this.#server = undefined
      if (this.#stopping.signal.aborted) return
      this.#onLog(`Postgres ended by itself (${how})`)
      this.#server = await this.#next()
    }
  }

  async #next(): Promise<Server | undefined> {
    for (;;) {
      const pauseMs = this.#pauseBeforeRestart()
      if (pauseMs === undefined) return this.#giveUp()
      try {
        return await this.#restart(pauseMs)
      } catch (error) {
        if (this.#stopping.signal.aborted) return undefined
        this.#onLog(String(error))
      }
    }
  }

  async #restart(pauseMs: number): Promise<Server> {
    this.#onLog(`Postgres is started again in ${pauseMs} ms`)
    const { signal } = this.#stopping
    await sleep(pauseMs, undefined, { signal })
    const server = await this.#launch(signal)
    this.#onLog('Postgres runs again')
    return server
  }

  #pauseBeforeRestart(): number | undefined {
    const now = performance.now()
    this.#restarts = this.#restarts.filter((at) => now - at < RESTART_WINDOW_MS)
    if (this.#restarts.length === MAX_RESTARTS) return undefined
    this.#restarts.push(now)
    return FIRST_PAUSE_MS * 2 ** (this.#restarts.length - 1)
  }

  #giveUp(): undefined {
    const minutes = RESTART_WINDOW_MS / 60_000
    this.#onLog(`Postgres stays down: it ended ${MAX_RESTARTS + 1} times in ${minutes} minutes`)
  }
}
