/**
 * The nameserver role: answers for the hosted zones and the platform's own. It keeps its last good
 * zones while the database is away, and follows every change within a second.
 */
import { absolute, relative } from '#names/domain-name.ts'
import type { Endpoint } from '#names/ip.ts'
import { answerQuery, type Transport } from './dns/answer.ts'
import { listenDns } from './dns/listen.ts'
import type { Listener } from './dns/listener.ts'
import type { ServedZone } from './dns/zone.ts'
import { Zones } from './dns/zones.ts'

/** Where the zones are; handed in by the composition root. */
export type ZoneFeed = {
  /** The names changed since `mark`, '0' for all, and the next mark. */
  changed(mark: string): Promise<{ names: readonly string[]; mark: string }>
  read(names: readonly string[]): Promise<readonly FedName[]>
  /** Calls at every change that may be there to read. */
  onChange(heard: () => void): Disposable
  /** A query for a name that waits for its delegation has come in. */
  wake(ids: readonly string[]): Promise<void>
}

export type FedName = { name: string; zone: ServedZone | undefined; waiting: readonly string[] }

export type NameserverOptions = {
  listen: readonly Endpoint[]
  platform: readonly ServedZone[]
  feed: ZoneFeed
  onError: (error: unknown) => void
}

const POLL_MS = 1000
const NAMES_A_READ = 1000
const WAKE_EVERY_MS = 2000
const WOKEN_KEPT = 10_000

export type Nameserver = AsyncDisposable & {
  listeners: readonly Listener[]
  /** Listens at one more address. */
  listen(endpoint: Endpoint): Promise<Listener>
  /** Serves one more zone of the platform's own. */
  serve(zone: ServedZone): void
}

/** Reads all zones, then listens. */
export async function startNameserver(options: NameserverOptions): Promise<Nameserver> {
  const zones = new Zones()
  for (const zone of options.platform) zones.set(zone)
  const hosted = new HostedZones(zones, options)
  await hosted.start()
  const listeners: Listener[] = []
  const answer = (query: Uint8Array, transport: Transport) => {
    const answered = answerQuery(query, zones, transport)
    if (answered?.question) hosted.asked(answered.question.name)
    return answered?.reply
  }
  const listen = async ({ address, port }: Endpoint) => {
    const listener = await listenDns({ address, port, answer, onError: options.onError })
    listeners.push(listener)
    return listener
  }
  for (const endpoint of options.listen) await listen(endpoint)
  return {
    listeners,
    listen,
    serve: (zone) => zones.set(zone),
    async [Symbol.asyncDispose]() {
      await Promise.all(listeners.map((listener) => listener[Symbol.asyncDispose]()))
      await hosted[Symbol.asyncDispose]()
    },
  }
}

/** The hosted zones in step with the database. */
class HostedZones implements AsyncDisposable {
  readonly #zones: Zones
  readonly #options: NameserverOptions
  readonly #waiting = new Map<string, readonly string[]>()
  readonly #woken = new Map<string, number>()
  #mark = '0'
  #refreshing: Promise<void> | undefined
  #again = false
  #timer: NodeJS.Timeout | undefined
  #bell: Disposable | undefined

  constructor(zones: Zones, options: NameserverOptions) {
    this.#zones = zones
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#read()
    this.#bell = this.#options.feed.onChange(() => this.#refresh())
    this.#timer = setInterval(() => this.#refresh(), POLL_MS)
  }

  /** Wakes the domains that wait at or above a name somebody asked for. */
  asked(question: string): void {
    if (this.#waiting.size === 0) return
    const labels = relative(question).split('.')
    for (let skip = 0; skip < labels.length; skip++) {
      const name = labels.slice(skip).join('.')
      const ids = this.#waiting.get(name)
      if (ids && this.#mayWake(name)) this.#options.feed.wake(ids).catch(this.#options.onError)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#bell?.[Symbol.dispose]()
    await this.#refreshing
  }

  #mayWake(name: string): boolean {
    const now = performance.now()
    if (now - (this.#woken.get(name) ?? Number.NEGATIVE_INFINITY) < WAKE_EVERY_MS) return false
    if (this.#woken.size >= WOKEN_KEPT) this.#woken.clear()
    this.#woken.set(name, now)
    return true
  }

  /** One reading at a time; a change that comes meanwhile is read right after. */
  #refresh(): void {
    this.#again = this.#refreshing !== undefined
    this.#refreshing ??= this.#read()
      .catch(this.#options.onError)
      .finally(() => {
        this.#refreshing = undefined
        if (this.#again) this.#refresh()
      })
  }

  async #read(): Promise<void> {
    const { names, mark } = await this.#options.feed.changed(this.#mark)
    for (let done = 0; done < names.length; done += NAMES_A_READ) {
      const fed = await this.#options.feed.read(names.slice(done, done + NAMES_A_READ))
      for (const name of fed) this.#take(name)
    }
    this.#mark = mark
  }

  #take({ name, zone, waiting }: FedName): void {
    if (waiting.length > 0) this.#waiting.set(name, waiting)
    else this.#waiting.delete(name)
    try {
      if (zone === undefined) this.#zones.delete(absolute(name))
      else this.#zones.set(zone)
    } catch (error) {
      this.#options.onError(error) // One zone that cannot be served leaves the others as they are.
    }
  }
}
