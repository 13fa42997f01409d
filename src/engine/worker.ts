/**
 * Processes the due rows of one table, up to `atOnce` at a time. The worker takes rows, calls the
 * caller's `work`, renews leases, gives rows back, and survives a lost database.
 */
import type { QueryExecutorProvider } from 'kysely'
import { backOffMs, minutes, seconds } from '../clock.ts'
import type { Doorbell } from './doorbell.ts'
import {
  type Columns,
  type DueTable,
  finish,
  LEASE_MS,
  LeaseLost,
  type Mine,
  type Pick,
  renewLeases,
  type Taken,
  takeDue,
  takeFresh,
  untilNextDue,
} from './due-rows.ts'
import { eventLoopWatch } from './event-loop.ts'

export type { Taken } from './due-rows.ts'

/**
 * When the row is due again, and how many looks in a row failed. The worker writes `columns` to the
 * row, too.
 */
export type Outcome = { afterMs: number; failures: number; columns?: Columns }

export type WorkerOptions = {
  db: QueryExecutorProvider
  doorbell: Doorbell
  table: DueTable
  mine?: Mine
  /** The doorbell topic that says rows may have become due. */
  topic: string
  atOnce: number
  /** Selects the due rows to take; by default the longest due first. */
  pick?: Pick
  /**
   * Returns `written` if it gave the row back itself. A time limit, a lost lease or a stop aborts
   * the signal.
   */
  work: (row: Taken, signal: AbortSignal) => Promise<Outcome | 'written'>
  /** Called after the worker gave the row back. */
  onDone?: (row: Taken) => void
  passLimitMs: number
  /**
   * Whether a busy process takes rows one by one, except rows that no worker has taken before. By
   * default true.
   */
  givesWay?: boolean
  onError: (error: unknown, row?: Taken) => void
}

/** The share of `atOnce` that is reserved for rows that no worker has taken before. */
const KEPT_FOR_FRESH = 0.25
const BUSY_PAUSE_MS = 50
const POLL_MS = 1000
const LEAST_PAUSE_MS = 10
/**
 * Without `givesWay`, a full worker collects free places for this long, to take several rows at
 * once.
 */
const GATHER_MS = 20
const PAUSE_AFTER_ERROR_MS = 500
const RUNG = 'there may be rows to take'
/** The pause after work that threw, which probably throws again. */
const REST = { firstMs: seconds(1), mostMs: minutes(5) }

/** Starts a worker. Disposing it aborts its work, and waits for the end of it. */
export function startWorker(options: WorkerOptions): AsyncDisposable {
  const worker = new Worker(options)
  return worker
}

class Worker implements AsyncDisposable {
  readonly #options: WorkerOptions
  readonly #stop = new AbortController()
  readonly #underWay = new Map<
    string,
    { row: Taken; abort: AbortController; done: Promise<void> }
  >()
  readonly #loops: Promise<void>[]
  readonly #bell: Disposable
  readonly #loop = eventLoopWatch()
  #othersTakenAt = 0
  #isFull = false
  #gathering: NodeJS.Timeout | undefined
  #kicked = new AbortController()

  constructor(options: WorkerOptions) {
    this.#options = options
    // A ring between taking and waiting aborts the next wait, so that it is not lost.
    this.#bell = options.doorbell.on(options.topic, () => this.#kick())
    this.#loops = [this.#forever(() => this.#takeAndWait()), this.#forever(() => this.#renew())]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#bell[Symbol.dispose]()
    await Promise.all(this.#loops)
    await Promise.all([...this.#underWay.values()].map(({ done }) => done))
    clearTimeout(this.#gathering)
  }

  async #forever(turn: () => Promise<void>): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await turn()
      } catch (error) {
        this.#options.onError(error)
        await pause(PAUSE_AFTER_ERROR_MS, this.#stop.signal)
      }
    }
  }

  async #takeAndWait(): Promise<void> {
    const { db, table, mine, pick } = this.#options
    this.#kicked = new AbortController()
    const how = () => ({ mine, pick, underWay: [...this.#underWay.keys()] })
    for (const row of await takeFresh(db, table, this.#free(), how())) this.#begin(row)
    const free = this.#freeForOthers()
    const rows = await takeDue(db, table, free, how())
    for (const row of rows) this.#begin(row)
    if (rows.length > 0) this.#othersTakenAt = performance.now()
    // A full worker takes the next row when one of these is done.
    this.#isFull = rows.length >= free
    const waitMs = this.#isFull ? BUSY_PAUSE_MS : await untilNextDue(db, table, POLL_MS, mine)
    // A due row that is locked or not picked must not cause queries without a pause.
    const leastMs = pick && rows.length === 0 ? BUSY_PAUSE_MS : LEAST_PAUSE_MS
    await pause(
      Math.max(waitMs, leastMs),
      AbortSignal.any([this.#stop.signal, this.#kicked.signal]),
    )
  }

  #free(): number {
    return this.#options.atOnce - this.#underWay.size
  }

  /** A busy process takes rows one by one, so that API requests come first. */
  #freeForOthers(): number {
    const free = this.#free() - Math.floor(this.#options.atOnce * KEPT_FOR_FRESH)
    if (!this.#givesWay() || !this.#loop.isBusy()) return free
    return performance.now() - this.#othersTakenAt < BUSY_PAUSE_MS ? 0 : Math.min(free, 1)
  }

  #begin(row: Taken): void {
    const abort = new AbortController()
    const signal = AbortSignal.any([
      this.#stop.signal,
      abort.signal,
      AbortSignal.timeout(this.#options.passLimitMs),
    ])
    const done = this.#run(row, signal).finally(() => {
      this.#underWay.delete(row.id)
      this.#placeIsFree()
    })
    this.#underWay.set(row.id, { row, abort, done })
  }

  #givesWay(): boolean {
    return this.#options.givesWay ?? true
  }

  #placeIsFree(): void {
    if (!this.#isFull || this.#givesWay()) {
      this.#kick()
      return
    }
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined
      this.#kick()
    }, GATHER_MS)
  }

  async #run(row: Taken, signal: AbortSignal): Promise<void> {
    const { db, table, work, onDone, onError } = this.#options
    try {
      const outcome = await work(row, signal)
      if (outcome !== 'written') await finish(db, table, row, outcome)
      onDone?.(row)
    } catch (error) {
      if (error instanceof LeaseLost) return
      if (!this.#stop.signal.aborted) onError(error, row)
      // A stopping worker gives the row back, so that the next process does not wait for the lease.
      const outcome = this.#stop.signal.aborted
        ? { afterMs: 0, failures: row.failures }
        : { afterMs: backOffMs(REST, row.failures), failures: row.failures + 1 }
      await finish(db, table, row, outcome).catch(() => undefined)
    }
  }

  /** Ends the pause before the next taking. Aborts with a string, because creating an error costs more. */
  #kick(): void {
    if (!this.#kicked.signal.aborted) this.#kicked.abort(RUNG)
  }

  async #renew(): Promise<void> {
    await pause(LEASE_MS / 3, this.#stop.signal)
    const held = [...this.#underWay.values()]
    if (held.length === 0) return
    const renewed = await renewLeases(
      this.#options.db,
      this.#options.table,
      held.map(({ row }) => row),
    )
    for (const { row, abort } of held) if (!renewed.has(row.id)) abort.abort(new LeaseLost(row.id))
  }
}

/** Waits; an abort ends the wait early. Never rejects. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const timer = setTimeout(end, Math.max(0, Math.ceil(ms)))
    signal.addEventListener('abort', end, { once: true })
    function end() {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
  })
}
