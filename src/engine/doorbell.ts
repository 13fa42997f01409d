/**
 * Notifies all processes, this one too, of changes in the database. A ring carries only a topic,
 * and listeners then look: a lost ring costs a delay, never a result. NOTIFY takes a global lock at
 * commit, so the doorbell collects rings for 10 ms, and sends them outside of other transactions. Its own
 * process hears the first of them at once.
 */
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { type QueryExecutorProvider, sql } from 'kysely'
import { Client, type ClientConfig } from 'pg'

const CHANNEL = 'mailstead'
const GATHER_MS = 10
const RECONNECT_MS = 500
const CONNECT_MS = 5000
const LAST_RINGS_MS = 1000
/** NOTIFY takes at most 8000 octets. */
const TOPICS_A_RING = 150

export type Doorbell = AsyncDisposable & {
  /** Notifies all listeners of `topic`. Never throws; a ring that cannot be sent is dropped. */
  ring(topic: string): void
  /** Calls `heard` at every ring of `topic`, and whenever rings may have been missed. */
  on(topic: string, heard: () => void): Disposable
}

/** Listens on its own connection to Postgres, and reconnects when it loses that. */
export async function openDoorbell(
  db: QueryExecutorProvider,
  connection: ClientConfig,
  onError: (error: unknown) => void,
): Promise<Doorbell> {
  const bell = new PgDoorbell(db, connection, onError)
  await bell.connect()
  return bell
}

class PgDoorbell implements Doorbell {
  readonly #topics = new EventEmitter().setMaxListeners(0)
  readonly #db: QueryExecutorProvider
  readonly #connection: ClientConfig
  readonly #onError: (error: unknown) => void
  readonly #pending = new Set<string>()
  /** Rung here, and not heard here yet. */
  readonly #unheard = new Set<string>()
  /** The last part of each notification: this process has heard its own rings already. */
  readonly #sender = `@${randomUUID()}`
  #client: Client | undefined
  #timer: NodeJS.Timeout | undefined
  /** Settles once all rings are sent. */
  #sending: Promise<void> = Promise.resolve()
  #reconnect: NodeJS.Timeout | undefined
  #closed = false
  constructor(
    db: QueryExecutorProvider,
    connection: ClientConfig,
    onError: (error: unknown) => void,
  ) {
    this.#db = db
    this.#connection = connection
    this.#onError = onError
  }

  /** Opens the listening connection. After a loss it reconnects, without limit. */
  async connect(): Promise<void> {
    const client = new Client({
      ...this.#connection,
      connectionTimeoutMillis: CONNECT_MS,
      keepAlive: true,
    })
    client.on('error', this.#onError)
    this.#client = client
    client.on('notification', ({ payload }) => this.#hear(payload?.split(',') ?? []))
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
      if (this.#closed) throw new Error('the doorbell was closed meanwhile')
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
    client.once('end', () => this.#reconnectSoon())
    // Without a connection, this process may have missed rings.
    for (const topic of this.#topics.eventNames()) this.#topics.emit(topic)
  }

  ring(topic: string): void {
    if (this.#closed) return
    if (!this.#unheard.has(topic)) {
      this.#unheard.add(topic)
      // The first is heard here at once, the others of these milliseconds at their end.
      if (!this.#pending.has(topic)) setImmediate(() => this.#hearHere(topic))
    }
    this.#pending.add(topic)
    this.#timer ??= setTimeout(() => {
      this.#sending = Promise.all([this.#sending, this.#send()]).then(() => undefined)
    }, GATHER_MS)
  }

  on(topic: string, heard: () => void): Disposable {
    this.#topics.on(topic, heard)
    return { [Symbol.dispose]: () => void this.#topics.off(topic, heard) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#reconnect)
    // Sends the last rings, but does not wait for a database that hangs.
    await Promise.race([this.#sending, delay(LAST_RINGS_MS, undefined, { ref: false })])
    await this.#client?.end().catch(() => undefined)
  }

  async #send(): Promise<void> {
    this.#timer = undefined
    const topics = [...this.#pending]
    this.#pending.clear()
    for (const topic of [...this.#unheard]) this.#hearHere(topic)
    try {
      for (let sent = 0; sent < topics.length; sent += TOPICS_A_RING) {
        const payload = [...topics.slice(sent, sent + TOPICS_A_RING), this.#sender].join(',')
        await sql`select pg_notify(${CHANNEL}, ${payload})`.execute(this.#db)
      }
    } catch (error) {
      this.#onError(error)
    }
  }

  #hear(topics: readonly string[]): void {
    if (topics.at(-1) === this.#sender) return
    for (const topic of topics) this.#topics.emit(topic)
  }

  #hearHere(topic: string): void {
    if (this.#unheard.delete(topic) && !this.#closed) this.#topics.emit(topic)
  }

  #reconnectSoon(): void {
    if (this.#closed) return
    this.#reconnect = setTimeout(() => {
      this.connect().catch((error) => {
        if (!this.#closed) this.#onError(error)
        this.#reconnectSoon()
      })
    }, RECONNECT_MS)
  }
}
