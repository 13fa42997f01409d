/**
 * Which names lead where, in memory. It follows every change within a second and goes on with what it
 * has while the database is away; a name that is not in it costs nobody a query.
 */
import type { Redirect } from './location.ts'

/** Where the redirects are; handed in by the composition root. */
export type RedirectFeed = {
  /** The names changed since `mark`, '0' for all, and the next mark. */
  changed(mark: string): Promise<{ names: readonly string[]; mark: string }>
  read(names: readonly string[]): Promise<readonly FedRedirect[]>
  /** Calls at every change that may be there to read. */
  onChange(heard: () => void): Disposable
}

export type FedRedirect = { name: string; redirect: Redirect | undefined }

const POLL_MS = 1000
const NAMES_A_READ = 1000

export class RedirectDirectory implements AsyncDisposable {
  readonly #feed: RedirectFeed
  readonly #onError: (error: unknown) => void
  readonly #redirects = new Map<string, Redirect>()
  #mark = '0'
  #refreshing: Promise<void> | undefined
  #isStale = false
  #isEnding = false
  #timer: NodeJS.Timeout | undefined
  #bell: Disposable | undefined

  constructor(feed: RedirectFeed, onError: (error: unknown) => void) {
    this.#feed = feed
    this.#onError = onError
  }

  /** Reads all of them; rejects when they cannot be read. */
  async start(): Promise<void> {
    await this.#read()
    this.#bell = this.#feed.onChange(() => this.#refresh())
    this.#timer = setInterval(() => this.#refresh(), POLL_MS)
  }

  /** A redirect answers for its domain and for `www` below it. */
  find(host: string): Redirect | undefined {
    return this.#redirects.get(host) ?? this.#redirects.get(host.replace(/^www\./, ''))
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
      .catch(this.#onError)
      .finally(() => {
        this.#refreshing = undefined
        if (this.#isStale && !this.#isEnding) this.#refresh()
      })
  }

  async #read(): Promise<void> {
    const { names, mark } = await this.#feed.changed(this.#mark)
    for (let done = 0; done < names.length; done += NAMES_A_READ) {
      const fed = await this.#feed.read(names.slice(done, done + NAMES_A_READ))
      for (const { name, redirect } of fed) {
        if (redirect) this.#redirects.set(name, redirect)
        else this.#redirects.delete(name)
      }
    }
    this.#mark = mark
  }
}
