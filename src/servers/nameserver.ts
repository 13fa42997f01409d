/**
 * The nameserver role: answers for the hosted zones and the platform's own. It follows every change in
 * the database within a second, and has its last good zones while that is away, also after a restart.
 */
import { absolute, relative } from '#names/domain-name.ts'
import type { Endpoint } from '#names/ip.ts'
import { answerQuery, type Transport } from './dns/answer.ts'
import { listenDns } from './dns/listen.ts'
import type { Listener } from './dns/listener.ts'
import type { ServedZone } from './dns/zone.ts'
import { Zones } from './dns/zones.ts'
import { type FedName, fedName, type KeptName, keptName } from './fed-name.ts'
import { type Feed, Follower, type Journal } from './follower.ts'
import { zoneJournal } from './zone-log/journal.ts'
import type { ZoneLog } from './zone-log/zone-log.ts'

/** Where the zones are; handed in by the composition root. */
export type ZoneFeed = Feed<FedName> & {
  /** A query for a name that waits for its delegation has come in. */
  wake(ids: readonly string[]): Promise<void>
}

export type NameserverOptions = {
  listen: readonly Endpoint[]
  platform: readonly ServedZone[]
  /** What was served before, for the time until the database is there. Not open yet. */
  log: ZoneLog
  onError: (error: unknown) => void
}

const WAKE_EVERY_MS = 2000
const WOKEN_KEPT = 10_000

export type Nameserver = AsyncDisposable & {
  /** None before it has all zones. */
  listeners: readonly Listener[]
  /**
   * Follows the database from now on. Resolves once it listens; rejects when it has not all zones yet, and
   * they cannot be read. It may be called again when it rejected, or when what it gave was disposed of.
   */
  follow(feed: ZoneFeed): Promise<AsyncDisposable>
  /** Listens at one more address. */
  listen(endpoint: Endpoint): Promise<Listener>
  /** Serves one more zone of the platform's own. */
  serve(zone: ServedZone): void
}

/**
 * Listens at once if the log has all zones, as old as they may be; else once they are read. Without all
 * zones it would refuse to answer for some that are ours.
 */
export async function startNameserver(options: NameserverOptions): Promise<Nameserver> {
  await using opened = new AsyncDisposableStack()
  const zones = new Zones()
  for (const zone of options.platform) zones.set(zone)
  const hosted = new HostedZones(zones, options)
  await options.log.open((name, payload) => hosted.take({ name, payload }))
  const answer = (query: Uint8Array, transport: Transport) => {
    const answered = answerQuery(query, zones, transport)
    if (answered?.question) hosted.asked(answered.question.name)
    return answered?.reply
  }
  const listeners: Listener[] = []
  opened.defer(async () => {
    await Promise.all(listeners.map((listener) => listener[Symbol.asyncDispose]()))
  })
  const listen = async ({ address, port }: Endpoint) => {
    const listener = await listenDns({ address, port, answer, onError: options.onError })
    listeners.push(listener)
    return listener
  }
  const listenAll = async () => {
    for (const endpoint of options.listen.slice(listeners.length)) await listen(endpoint)
  }
  if (options.log.mark) await listenAll()
  const closing = opened.move()
  return {
    listeners,
    listen,
    async follow(feed) {
      const following = await hosted.follow(feed)
      await listenAll()
      return following
    },
    serve: (zone) => zones.set(zone),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** The hosted zones in step with the log and the database, and who waits for a query. */
class HostedZones {
  readonly #zones: Zones
  readonly #options: NameserverOptions
  #journal: Journal<KeptName> | undefined
  #feed: ZoneFeed | undefined
  readonly #waiting = new Map<string, readonly string[]>()
  readonly #woken = new Map<string, number>()

  constructor(zones: Zones, options: NameserverOptions) {
    this.#zones = zones
    this.#options = options
  }

  /** Reads what changed since the log was kept: all, and waits for that, if it was never complete. */
  async follow(feed: ZoneFeed): Promise<AsyncDisposable> {
    const { log, onError } = this.#options
    this.#journal ??= zoneJournal(log)
    await using opened = new AsyncDisposableStack()
    const kept = {
      ...feed,
      read: async (names: readonly string[]) => (await feed.read(names)).map(keptName),
    }
    const take = (name: KeptName) => this.take(name)
    const follower = opened.use(new Follower({ feed: kept, take, journal: this.#journal, onError }))
    this.#feed = feed
    opened.defer(() => {
      this.#feed = undefined
    })
    if (log.mark) follower.startBehind()
    else await follower.start()
    return opened.move()
  }

  /** Wakes the domains that wait at or above a name somebody asked for. */
  asked(question: string): void {
    if (this.#waiting.size === 0 || this.#feed === undefined) return
    const labels = relative(question).split('.')
    for (let skip = 0; skip < labels.length; skip++) {
      const name = labels.slice(skip).join('.')
      const ids = this.#waiting.get(name)
      if (ids && this.#mayWake(name)) this.#feed.wake(ids).catch(this.#options.onError)
    }
  }

  #mayWake(name: string): boolean {
    const now = performance.now()
    if (now - (this.#woken.get(name) ?? Number.NEGATIVE_INFINITY) < WAKE_EVERY_MS) return false
    if (this.#woken.size >= WOKEN_KEPT) this.#woken.clear()
    this.#woken.set(name, now)
    return true
  }

  /** What is served for a name from now on. */
  take(kept: KeptName): void {
    const { name, zone, waiting } = fedName(kept)
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
