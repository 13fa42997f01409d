/**
 * The nameserver role: answers for the hosted zones and the platform's own. It keeps its last good
 * zones while the database is away, and follows every change within a second. Queries are answered in
 * threads of their own; this thread only keeps the store of zones up to date.
 */
import { randomBytes } from 'node:crypto'
import { absolute, relative } from '#names/domain-name.ts'
import type { Endpoint } from '#names/ip.ts'
import type { Listener } from './dns/listener.ts'
import { encodeWaiting, encodeZone, lowercaseWire, type Unserved } from './dns/store/encode.ts'
import { ZoneStore } from './dns/store/store.ts'
import type { Defence } from './dns/threads/protocol.ts'
import { type Counts, DnsThreads, type SocketsChoice } from './dns/threads/threads.ts'
import { Secondaries, type SecondariesSettings } from './dns/transfer/secondaries.ts'
import type { CatalogStore } from './dns/transfer/source.ts'
import type { ServedZone } from './dns/zone.ts'
import { type Feed, Follower } from './follower.ts'

/** Where the zones are; handed in by the composition root. */
export type ZoneFeed = Feed<FedName> & {
  /** A query for a name that waits for its delegation has come in. */
  wake(ids: readonly string[]): Promise<void>
  /** The rows of the catalog, where the settings of secondaries have one. */
  catalog?: CatalogStore | undefined
}

export type FedName = { name: string; zone: ServedZone | undefined; waiting: readonly string[] }

export type NameserverOptions = {
  listen: readonly Endpoint[]
  platform: readonly ServedZone[]
  feed: ZoneFeed
  /** Without them, nobody may transfer a zone. */
  secondaries?: SecondariesSettings | undefined
  onError: (error: unknown) => void
  /** What the operator should know. Not told unless asked for. */
  onNote?: (note: string) => void
  /** How packets are read and sent. `auto` unless told. */
  sockets?: SocketsChoice
  /** Threads for UDP; by the number of cores unless told. */
  udpThreads?: number
  /** No limit, and a key of this process's own for cookies, unless told. */
  defence?: Partial<Omit<Defence, 'threads'>>
}

const WAKE_EVERY_MS = 2000
const WOKEN_KEPT = 10_000
const COOKIE_KEY_OCTETS = 16

export type Nameserver = AsyncDisposable & {
  listeners: readonly Listener[]
  /** What its threads have counted. */
  readonly counts: Counts
  /** Listens at one more address. */
  listen(endpoint: Endpoint): Promise<Listener>
  /** Serves one more zone of the platform's own. */
  serve(zone: ServedZone): void
}

/** Reads all zones, then listens. */
export async function startNameserver(options: NameserverOptions): Promise<Nameserver> {
  await using opened = new AsyncDisposableStack()
  const store = new ZoneStore()
  const secondaries = options.secondaries && new Secondaries(store, options.secondaries)
  const serve = (zone: ServedZone) =>
    store.put(encodeZone(zone).blob, () => secondaries?.changed(absolute(zone.apex), zone))
  for (const zone of options.platform) serve(zone)
  const hosted = opened.use(new HostedZones(store, secondaries, options))
  await hosted.start()
  const threads = opened.use(await startThreads(store, hosted, secondaries, options))
  const listeners: Listener[] = []
  const listen = async (endpoint: Endpoint) => {
    const listener = await threads.listen(endpoint)
    listeners.push(listener)
    return listener
  }
  for (const endpoint of options.listen) await listen(endpoint)
  const { feed, onError } = options
  const from = options.listen.map(({ address }) => address)
  const starting = secondaries?.start({ catalogStore: feed.catalog, from, onError })
  if (starting) opened.use(await starting)
  const closing = opened.move()
  return {
    listeners,
    get counts() {
      return threads.counts
    },
    listen,
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
    onAsked: (name) => hosted.asked(name),
    onError,
    onNote,
  })
}

/** The hosted zones in step with the database, and who waits for a query. */
class HostedZones implements AsyncDisposable {
  readonly #store: ZoneStore
  readonly #secondaries: Secondaries | undefined
  readonly #options: NameserverOptions
  readonly #follower: Follower<FedName>
  readonly #waiting = new Map<string, readonly string[]>()
  readonly #woken = new Map<string, number>()

  constructor(store: ZoneStore, secondaries: Secondaries | undefined, options: NameserverOptions) {
    this.#store = store
    this.#secondaries = secondaries
    this.#options = options
    const { feed, onError } = options
    this.#follower = new Follower({ feed, take: (fed) => this.#take(fed), onError })
  }

  start(): Promise<void> {
    return this.#follower.start()
  }

  /** Wakes the domains that wait at a name, which or below which a query has asked for. */
  asked(name: string): void {
    const ids = this.#waiting.get(relative(name))
    if (ids && this.#mayWake(name)) this.#options.feed.wake(ids).catch(this.#options.onError)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#follower[Symbol.asyncDispose]()
  }

  /** Each thread reports a name once in a while; together they may not wake its domains more often. */
  #mayWake(name: string): boolean {
    const now = performance.now()
    if (now - (this.#woken.get(name) ?? Number.NEGATIVE_INFINITY) < WAKE_EVERY_MS) return false
    if (this.#woken.size >= WOKEN_KEPT) this.#woken.clear()
    this.#woken.set(name, now)
    return true
  }

  #take({ name, zone, waiting }: FedName): void {
    const isWaiting = waiting.length > 0
    if (isWaiting) this.#waiting.set(name, waiting)
    else this.#waiting.delete(name)
    const changed = () => this.#secondaries?.changed(absolute(name), zone)
    try {
      if (zone) this.#put(zone, isWaiting, changed)
      else if (isWaiting) this.#store.put(encodeWaiting(absolute(name)), changed)
      else this.#store.delete(lowercaseWire(absolute(name)), changed)
    } catch (error) {
      this.#options.onError(error) // One zone that cannot be served leaves the others as they are.
    }
  }

  #put(zone: ServedZone, isWaiting: boolean, changed: () => void): void {
    const { blob, unserved } = encodeZone(zone, { isWaiting })
    this.#store.put(blob, changed)
    for (const rrset of unserved) this.#options.onError(new Error(sentenceOf(rrset)))
  }
}

const sentenceOf = ({ name, type, reason }: Unserved): string =>
  `${name} ${type} cannot be served, and is left out: ${reason}`
