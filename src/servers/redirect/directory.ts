/** Keeps all redirects in memory, so that no request needs a database query. */
import { type Feed, Follower } from '../follower.ts'
import type { Redirect } from './location.ts'

export type RedirectFeed = Feed<ServedRedirect>

export type ServedRedirect = { name: string; redirect: Redirect | undefined }

export class RedirectDirectory implements AsyncDisposable {
  readonly #redirects = new Map<string, Redirect>()
  readonly #follower: Follower<ServedRedirect>

  constructor(feed: RedirectFeed, onError: (error: unknown) => void) {
    this.#follower = new Follower({ feed, take: (served) => this.#take(served), onError })
  }

  /** Reads all of them; rejects when they cannot be read. */
  start(): Promise<void> {
    return this.#follower.start()
  }

  /** A redirect answers for its domain and for `www` below it. */
  find(host: string): Redirect | undefined {
    return this.#redirects.get(host) ?? this.#redirects.get(host.replace(/^www\./, ''))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#follower[Symbol.asyncDispose]()
  }

  #take({ name, redirect }: ServedRedirect): void {
    if (redirect) this.#redirects.set(name, redirect)
    else this.#redirects.delete(name)
  }
}
