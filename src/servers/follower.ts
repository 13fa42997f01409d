/**
 * Keeps what is known of names in memory in step with the database: it follows every change within a
 * second, and leaves what is known as it is while the database is away.
 */

/** Where the names are; handed in by the composition root. */
export type Feed<Fed> = {
  /** The names changed since `mark`, '0' for all, and the next mark. */
  changed(mark: string): Promise<{ names: readonly string[]; mark: string }>
  read(names: readonly string[]): Promise<readonly Fed[]>
  /** Calls at every change that may be there to read. */
  onChange(heard: () => void): Disposable
}

const POLL_MS = 1000
const NAMES_A_READ = 1000

export type FollowerOptions<Fed> = {
  feed: Feed<Fed>
  /** What is known of one name, now; must not throw. */
  take(fed: Fed): void
  onError(error: unknown): void
}

export class Follower<Fed> implements AsyncDisposable {
  readonly #options: FollowerOptions<Fed>
  #mark = '0'
  #refreshing: Promise<void> | undefined
  #isStale = false
  #isEnding = false
  #timer: NodeJS.Timeout | undefined
  #bell: Disposable | undefined

  constructor(options: FollowerOptions<Fed>) {
    this.#options = options
  }

  /** Reads all names; rejects when they cannot be read. */
  async start(): Promise<void> {
    await this.#read()
    this.#bell = this.#options.feed.onChange(() => this.#refresh())
    this.#timer = setInterval(() => this.#refresh(), POLL_MS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    clearInterval(this.#timer)
    this.#bell?.[Symbol.dispose]()
    await this.#refreshing
  }

  /** One reading at a time; a change that comes meanwhile is read right after. */
  #refresh(): void {
    this.#isStale = this.#refreshing !== undefined
    this.#refreshing ??= this.#read()
      .catch(this.#options.onError)
      .finally(() => {
        this.#refreshing = undefined
        if (this.#isStale && !this.#isEnding) this.#refresh()
      })
  }

  async #read(): Promise<void> {
    const { feed, take } = this.#options
    const { names, mark } = await feed.changed(this.#mark)
    for (let done = 0; done < names.length; done += NAMES_A_READ) {
      for (const fed of await feed.read(names.slice(done, done + NAMES_A_READ))) take(fed)
    }
    this.#mark = mark
  }
}
