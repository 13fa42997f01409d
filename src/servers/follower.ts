/**
 * Follows the names in the database: reads every change within a second, and keeps the last state
 * while the database is unreachable.
 */

/** Reads the names from their store; passed in by the composition root. */
export type Feed<Item> = {
  /**
   * A page of the names changed since `mark` ('0' for all) that sort after `after`, and the next mark,
   * which holds once all pages are read. A new `database` means that no earlier mark holds any more.
   */
  changed(mark: string, page: { after: string; limit: number }): Promise<Changed>
  read(names: readonly string[]): Promise<readonly Item[]>
  /** Calls `heard` when there may be changes to read. */
  onChange(heard: () => void): Disposable
}

type Changed = Position & { names: readonly string[] }

/** A position in the changes of a database. */
export type Position = { mark: string; database: string }

/** Stores names for the next process. No call rejects. */
export type Journal<Item> = {
  /** Up to where it is complete. It goes back when a write failed. */
  position(): Promise<Position | undefined>
  keep(page: readonly Item[]): Promise<void>
  /** A reading of all names begins. */
  begin(): Promise<void>
  /** The kept names that were not read since `begin`. */
  unread(): Iterable<string>
  /** Every change before this position is kept. */
  complete(position: Position, hasChanged: boolean): Promise<void>
}

const POLL_MS = 1000
const NAMES_A_READ = 1000

export type FollowerOptions<Item> = {
  feed: Feed<Item>
  /** Takes the present state of one name; must not throw. */
  take(item: Item): void
  journal?: Journal<Item>
  onError(error: unknown): void
}

export class Follower<Item> implements AsyncDisposable {
  readonly #options: FollowerOptions<Item>
  #position: Position | undefined
  #refreshing: Promise<void> | undefined
  #isStale = false
  readonly #stop = new AbortController()
  readonly #caughtUp = Promise.withResolvers<void>()
  #readAt = performance.now()
  #timer: NodeJS.Timeout | undefined
  #bell: Disposable | undefined

  constructor(options: FollowerOptions<Item>) {
    this.#options = options
  }

  /** Resolves once everything that existed at the start has been read; never, if it cannot be. */
  get caughtUp(): Promise<void> {
    return this.#caughtUp.promise
  }

  /** Milliseconds since the names were last compared with the database. */
  get staleMs(): number {
    return performance.now() - this.#readAt
  }

  /** Reads all names, or the changes since the journal's position; rejects when they cannot be read. */
  async start(): Promise<void> {
    await this.#read()
    this.#follow()
  }

  /** As `start`, where the kept names are good enough to begin with. */
  startBehind(): void {
    this.#follow()
    this.#refresh()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    clearInterval(this.#timer)
    this.#bell?.[Symbol.dispose]()
    await this.#refreshing
  }

  #follow(): void {
    this.#bell = this.#options.feed.onChange(() => this.#refresh())
    this.#timer = setInterval(() => this.#refresh(), POLL_MS)
  }

  /** One reading at a time; a change during it is read right after. */
  #refresh(): void {
    this.#isStale = this.#refreshing !== undefined
    this.#refreshing ??= this.#read()
      .catch((error) => {
        if (!this.#stop.signal.aborted) this.#options.onError(error)
      })
      .finally(() => {
        this.#refreshing = undefined
        if (this.#isStale && !this.#stop.signal.aborted) this.#refresh()
      })
  }

  async #read(): Promise<void> {
    await this.#readSince()
    this.#readAt = performance.now()
  }

  async #readSince(): Promise<void> {
    const { journal } = this.#options
    const since = journal ? await journal.position() : this.#position
    if (!since) return this.#readAll()
    const first = await this.#page(since.mark, '')
    if (!isLater(first, since)) return this.#readAll()
    await this.#takePages(since.mark, first)
    await this.#complete(first, first.names.length > 0)
  }

  /** Reads all names, and removes the ones that no longer exist. */
  async #readAll(): Promise<void> {
    const { journal } = this.#options
    await journal?.begin()
    const first = await this.#page('0', '')
    await this.#takePages('0', first)
    const unread = [...(journal?.unread() ?? [])]
    for (let done = 0; done < unread.length; done += NAMES_A_READ)
      await this.#take(unread.slice(done, done + NAMES_A_READ))
    await this.#complete(first, true)
  }

  #page(mark: string, after: string): Promise<Changed> {
    this.#stop.signal.throwIfAborted()
    return this.#options.feed.changed(mark, { after, limit: NAMES_A_READ })
  }

  async #takePages(mark: string, first: Changed): Promise<void> {
    let { names } = first
    while (names.length > 0) {
      await this.#take(names)
      if (names.length < NAMES_A_READ) return
      names = (await this.#page(mark, names.at(-1)!)).names
    }
  }

  async #take(names: readonly string[]): Promise<void> {
    const { feed, take, journal } = this.#options
    const page = await feed.read(names)
    for (const item of page) take(item)
    await journal?.keep(page)
  }

  async #complete({ mark, database }: Position, hasChanged: boolean): Promise<void> {
    this.#position = { mark, database }
    await this.#options.journal?.complete(this.#position, hasChanged)
    this.#caughtUp.resolve()
  }
}

/** Whether reading the changes since a position is enough: the database and its history are the same. */
const isLater = (now: Position, since: Position): boolean =>
  now.database === since.database && BigInt(now.mark) >= BigInt(since.mark)
