/**
 * The nameserver role: answers for the hosted zones and the platform's own. It keeps its last good
 * zones while the database is away, and follows every change within a second.
 */
import { absolute, relative } from '#names/domain-name.ts'
import type { Endpoint } from '#names/ip.ts'
import { answerQuery, type Transport } from './dns/answer.ts'
import { listenDns } from './dns/listen.ts'
import type { Listener } from './dns/listener.ts'
import {
  openSecondaries,
  type Secondaries,
  type SecondariesSettings,
} from './dns/transfer/secondaries.ts'
import { sourceOf } from './dns/transfer/served.ts'
import type { ServedZone } from './dns/zone.ts'
import { Zones } from './dns/zones.ts'
import { type Feed, Follower } from './follower.ts'

/** Where the zones are; handed in by the composition root. */
export type ZoneFeed = Feed<FedName> & {
  /** A query for a name that waits for its delegation has come in. */
  wake(ids: readonly string[]): Promise<void>
}

export type FedName = { name: string; zone: ServedZone | undefined; waiting: readonly string[] }

export type NameserverOptions = {
  listen: readonly Endpoint[]
  platform: readonly ServedZone[]
  feed: ZoneFeed
  /** Without them, nobody may transfer a zone. */
  secondaries?: SecondariesSettings
  onError: (error: unknown) => void
}

const NO_SECONDARIES: SecondariesSettings = {
  notify: [],
  keys: [],
  addresses: [],
  nowS: () => 0,
  onTrouble: () => {},
}

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
  await using opened = new AsyncDisposableStack()
  const zones = new Zones()
  const answer = (query: Uint8Array, transport: Transport) => {
    const answered = answerQuery(query, zones, transport)
    if (answered?.question) hosted.asked(answered.question.name)
    return answered?.reply
  }
  const secondaries = opened.use(
    await openSecondaries({
      ...(options.secondaries ?? NO_SECONDARIES),
      source: sourceOf(zones),
      ordinary: answer,
      from: options.listen.map(({ address }) => address),
      onError: options.onError,
    }),
  )
  const serve = (zone: ServedZone) => {
    zones.set(zone)
    secondaries.changed(absolute(zone.apex), true)
  }
  for (const zone of options.platform) serve(zone)
  const hosted = opened.use(new HostedZones(zones, secondaries, options))
  await hosted.start()
  secondaries.start()
  const listeners: Listener[] = []
  opened.defer(async () => {
    await Promise.all(listeners.map((listener) => listener[Symbol.asyncDispose]()))
  })
  const listen = async ({ address, port }: Endpoint) => {
    const listener = await listenDns({
      address,
      port,
      answerFirst: secondaries.answer,
      answer,
      onError: options.onError,
    })
    listeners.push(listener)
    return listener
  }
  for (const endpoint of options.listen) await listen(endpoint)
  const closing = opened.move()
  return {
    listeners,
    listen,
    serve,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** The hosted zones in step with the database, and who waits for a query. */
class HostedZones implements AsyncDisposable {
  readonly #zones: Zones
  readonly #secondaries: Secondaries
  readonly #options: NameserverOptions
  readonly #follower: Follower<FedName>
  readonly #waiting = new Map<string, readonly string[]>()
  readonly #woken = new Map<string, number>()

  constructor(zones: Zones, secondaries: Secondaries, options: NameserverOptions) {
    this.#zones = zones
    this.#secondaries = secondaries
    this.#options = options
    const { feed, onError } = options
    this.#follower = new Follower({ feed, take: (fed) => this.#take(fed), onError })
  }

  start(): Promise<void> {
    return this.#follower.start()
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.#follower[Symbol.asyncDispose]()
  }

  #mayWake(name: string): boolean {
    const now = performance.now()
    if (now - (this.#woken.get(name) ?? Number.NEGATIVE_INFINITY) < WAKE_EVERY_MS) return false
    if (this.#woken.size >= WOKEN_KEPT) this.#woken.clear()
    this.#woken.set(name, now)
    return true
  }

  #take({ name, zone, waiting }: FedName): void {
    if (waiting.length > 0) this.#waiting.set(name, waiting)
    else this.#waiting.delete(name)
    try {
      if (zone === undefined) this.#zones.delete(absolute(name))
      else this.#zones.set(zone)
      this.#secondaries.changed(absolute(name), zone !== undefined)
    } catch (error) {
      this.#options.onError(error) // One zone that cannot be served leaves the others as they are.
    }
  }
}
