/**
 * The `dns` role: serves the hosted zones and the platform's own. It follows every change in the
 * database within a second. While the database is unreachable, it serves the last zones that it
 * read, also after a restart. Other threads answer queries; this thread keeps their store of zones
 * up to date.
 */
import { randomBytes } from 'node:crypto'
import { absolute, relative } from '#names/domain-name.ts'
import type { Endpoint } from '#names/ip.ts'
import type { Listener } from './dns/listener.ts'
import { encodeZone, lowercaseWire, type Unserved } from './dns/store/encode.ts'
import { ZoneStore } from './dns/store/store.ts'
import type { Defence } from './dns/threads/protocol.ts'
import { type Counts, DnsThreads, type SocketsChoice } from './dns/threads/threads.ts'
import { Secondaries, type SecondariesSettings } from './dns/transfer/secondaries.ts'
import type { CatalogStore } from './dns/transfer/source.ts'
import type { ServedZone } from './dns/zone.ts'
import { type Feed, Follower, type Journal } from './follower.ts'
import { type EncodedName, encodeName, readPayload, type ServedName } from './served-name.ts'
import { zoneJournal } from './zone-log/journal.ts'
import type { ZoneLog } from './zone-log/zone-log.ts'

/** Reads the zones in the database; the composition root provides it. */
export type ZoneFeed = Feed<ServedName> & {
  /** Wakes domains that wait for their delegation, because a query for their name arrived. */
  wake(ids: readonly string[]): Promise<void>
  /** The store of the catalog zone, if the settings name one. */
  catalog?: CatalogStore | undefined
}

export type NameserverOptions = {
  listen: readonly Endpoint[]
  platform: readonly ServedZone[]
  /** The zones of earlier runs; the nameserver opens it. */
  log: ZoneLog
  /** Without secondaries, the nameserver refuses zone transfers. */
  secondaries?: SecondariesSettings | undefined
  onError: (error: unknown) => void
  /** Receives notes for the operator. */
  onNote?: (note: string) => void
  /** How the nameserver reads and sends packets. `auto` by default. */
  sockets?: SocketsChoice
  /** The number of threads for UDP; by default it depends on the number of cores. */
  udpThreads?: number
  /** By default: no rate limit, and a cookie key of this process's own. */
  defence?: Partial<Omit<Defence, 'threads'>>
}

const WAKE_EVERY_MS = 2000
const WOKEN_KEPT = 10_000
const COOKIE_KEY_OCTETS = 16

export type Nameserver = AsyncDisposable & {
  /** Empty until it has all zones. */
  listeners: readonly Listener[]
  /** The counters of its threads. */
  readonly counts: Counts
  /**
   * Starts to follow the database. Resolves once it listens; rejects when it does not have all zones yet
   * and cannot read them. It may be called again after it rejected, or after its result was disposed of.
   */
  follow(feed: ZoneFeed): Promise<AsyncDisposable>
  /** Milliseconds since it last compared its zones with the database; 0 before `follow`. */
  staleMs(): number
  /** Listens at one more address. */
  listen(endpoint: Endpoint): Promise<Listener>
  /** Serves another of the platform's own zones. */
  serve(zone: ServedZone): void
}

/**
 * Starts the nameserver. It listens now if the log has all zones, however old, else once it has
 * read them: without all zones it would refuse queries for some.
 */
export async function startNameserver(options: NameserverOptions): Promise<Nameserver> {
  await using opened = new AsyncDisposableStack()
  const store = new ZoneStore()
  const secondaries = options.secondaries && new Secondaries(store, options.secondaries)
  const serve = (zone: ServedZone) =>
    store.put(encodeZone(zone).blob, () => secondaries?.changed(absolute(zone.apex), zone))
  for (const zone of options.platform) serve(zone)
  const hosted = new HostedZones(store, secondaries, options)
  await options.log.open((name, payload) => hosted.take({ name, payload }))
  const threads = opened.use(await startThreads(store, hosted, secondaries, options))
  const listeners: Listener[] = []
  const listen = async (endpoint: Endpoint) => {
    const listener = await threads.listen(endpoint)
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
    get counts() {
      return threads.counts
    },
    listen,
    staleMs: () => hosted.staleMs,
    async follow(feed) {
      await using following = new AsyncDisposableStack()
      const { caughtUp } = following.use(await hosted.follow(feed))
      await listenAll()
      const from = options.listen.map(({ address }) => address)
      const { onError } = options
      const starting = { catalogStore: feed.catalog, from, onError }
      if (secondaries) following.use(secondaries.startAfter(caughtUp, starting))
      return following.move()
    },
    serve,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

function startThreads(
  store: ZoneStore,
  hosted: HostedZones,
  secondaries: Secondaries | undefined,
  { sockets = 'auto', udpThreads, defence, onError, onNote = () => {} }: NameserverOptions,
): Promise<DnsThreads> {
  const cookieKey = randomBytes(COOKIE_KEY_OCTETS)
  return DnsThreads.start({
    store,
    sockets,
    ...(udpThreads === undefined ? {} : { udpThreads }),
    defence: { rateLimit: 0, limitsLoopback: false, cookieKey, ...defence },
    secondaries,
    onAsked: (name) => hosted.wakeFor(name),
    onError,
    onNote,
  })
}

/** Updates the store of zones from log and database; wakes the domains that a query asks for. */
class HostedZones {
  readonly #store: ZoneStore
  readonly #secondaries: Secondaries | undefined
  readonly #options: NameserverOptions
  #journal: Journal<EncodedName> | undefined
  #feed: ZoneFeed | undefined
  readonly #waiting = new Map<string, readonly string[]>()
  readonly #woken = new Map<string, number>()

  constructor(store: ZoneStore, secondaries: Secondaries | undefined, options: NameserverOptions) {
    this.#store = store
    this.#secondaries = secondaries
    this.#options = options
  }

  #follower: Follower<EncodedName> | undefined

  get staleMs(): number {
    return this.#follower?.staleMs ?? 0
  }

  /** Reads the changes since the log's mark. Without one, reads all names and waits for that. */
  async follow(feed: ZoneFeed): Promise<AsyncDisposable & { caughtUp: Promise<void> }> {
    const { log, onError } = this.#options
    this.#journal ??= zoneJournal(log)
    await using opened = new AsyncDisposableStack()
    const kept: Feed<EncodedName> = {
      changed: (mark, page) => feed.changed(mark, page),
      read: async (names) => (await feed.read(names)).flatMap((served) => this.#encode(served)),
      onChange: (heard) => feed.onChange(heard),
    }
    const take = (name: EncodedName) => this.take(name)
    const follower = opened.use(new Follower({ feed: kept, take, journal: this.#journal, onError }))
    this.#feed = feed
    this.#follower = follower
    opened.defer(() => {
      this.#feed = undefined
      this.#follower = undefined
    })
    if (log.mark) follower.startBehind()
    else await follower.start()
    const following = opened.move()
    const { caughtUp } = follower
    return { caughtUp, [Symbol.asyncDispose]: () => following.disposeAsync() }
  }

  /** Wakes the domains of a name, after a query for the name or a name below it. */
  wakeFor(name: string): void {
    const ids = this.#waiting.get(relative(name))
    if (ids && this.#feed && this.#mayWake(name)) {
      this.#feed.wake(ids).catch(this.#options.onError)
    }
  }

  /** Replaces the zone of a name. */
  take({ name, payload }: EncodedName): void {
    const { waiting, memberId, blob } = payload ? readPayload(payload) : NOTHING_SERVED
    if (waiting.length > 0) this.#waiting.set(name, waiting)
    else this.#waiting.delete(name)
    const changed = () => this.#secondaries?.changed(absolute(name), blob && { memberId })
    if (blob) this.#store.put(blob, changed)
    else this.#store.delete(lowercaseWire(absolute(name)), changed)
  }

  /**
   * Encodes a zone. If that fails, reports the error: the nameserver goes on serving the former
   * zone.
   */
  #encode(served: ServedName): EncodedName[] {
    const { onError } = this.#options
    try {
      return [encodeName(served, (rrset) => onError(new Error(sentenceOf(rrset))))]
    } catch (error) {
      onError(error)
      return []
    }
  }

  /** Limits how often the threads, which each report a name now and then, wake its domains. */
  #mayWake(name: string): boolean {
    const now = performance.now()
    if (now - (this.#woken.get(name) ?? Number.NEGATIVE_INFINITY) < WAKE_EVERY_MS) return false
    if (this.#woken.size >= WOKEN_KEPT) this.#woken.clear()
    this.#woken.set(name, now)
    return true
  }
}

const NOTHING_SERVED = { waiting: [], memberId: undefined, blob: undefined }

const sentenceOf = ({ name, type, reason }: Unserved): string =>
  `${name} ${type} cannot be served, and is left out: ${reason}`
