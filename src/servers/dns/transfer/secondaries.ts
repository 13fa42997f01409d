/**
 * Puts together what secondaries use: transfers, the catalog, and NOTIFY. It lives in the main thread,
 * which has the whole zones; threads hand over to it the messages that `terms` describe.
 */

import type { TsigKey } from '#dns/tsig.ts'
import type { Endpoint } from '#names/ip.ts'
import type { Transport } from '../answer.ts'
import { Responder } from '../responder.ts'
import type { ZoneStore } from '../store/store.ts'
import { StoreView } from '../store/view.ts'
import { TransferAnswers } from './answer.ts'
import { Apexes } from './apexes.ts'
import { Catalog } from './catalog.ts'
import { CatalogKeeper } from './catalog-keeper.ts'
import { Notifier } from './notify.ts'
import type { TransferTerms } from './secondary-traffic.ts'
import { ServedZones } from './served.ts'
import type { CatalogStore } from './source.ts'

export type SecondariesSettings = {
  /** Secondaries that get NOTIFY. */
  notify: readonly Endpoint[]
  /** The first signs what we send; all of them are accepted. */
  keys: readonly TsigKey[]
  /** Addresses that may transfer unsigned. */
  addresses: readonly string[]
  /** Absolute and lowercase. Absent: secondaries are configured zone by zone. */
  catalogApex?: string | undefined
  /** Seconds since 1970. */
  nowS: () => number
  onTrouble(sentence: string): void
}

export type StartOptions = {
  /** Absent: the catalog stays as last read; before that, queries for it get SERVFAIL. */
  catalogStore: CatalogStore | undefined
  /** Local addresses that we listen at. */
  from: readonly string[]
  onError(error: unknown): void
}

export class Secondaries {
  readonly terms: TransferTerms
  readonly #settings: SecondariesSettings
  readonly #zones: ServedZones
  readonly #catalog: Catalog | undefined
  readonly #answers: TransferAnswers
  readonly #apexes = new Apexes()
  #keeper: CatalogKeeper | undefined
  #notifier: Notifier | undefined

  constructor(store: Pick<ZoneStore, 'shared'>, settings: SecondariesSettings) {
    const { keys, addresses, catalogApex, nowS } = settings
    this.terms = { addresses, catalogApex }
    this.#settings = settings
    this.#zones = new ServedZones(store)
    this.#catalog = catalogApex === undefined ? undefined : new Catalog(catalogApex)
    this.#answers = new TransferAnswers({
      source: this.#zones,
      catalog: this.#catalog,
      keys,
      addresses,
      ordinary: ordinaryOf(store),
      nowS,
    })
  }

  readonly answer: TransferAnswers['answer'] = (...asked) => this.#answers.answer(...asked)

  /** The zone at this apex (absolute, lowercase) was replaced, or removed. */
  changed(apex: string, zone: { memberId?: string | undefined } | undefined): void {
    this.#zones.setMember(apex, zone?.memberId)
    const concerned = zone ? this.#apexes.add(apex) : this.#apexes.delete(apex)
    for (const each of concerned) this.#keeper?.changed(each)
    // Zones read at the start are no change. Secondaries ask for serials when they refresh.
    if (this.#notifier && this.#zones.zone(apex) !== undefined) this.#notifier.changed(apex)
  }

  /**
   * Writes the catalog and sends NOTIFY until the result is disposed of. To be called when all zones are
   * read and up to date: the catalog loses members whose zone is missing then.
   */
  async start(options: StartOptions): Promise<AsyncDisposable> {
    await using opened = new AsyncDisposableStack()
    const { notify, keys, onTrouble, nowS } = this.#settings
    const { from, onError } = options
    const notifierOptions = { secondaries: notify, key: keys[0], from, nowS, onTrouble, onError }
    const notifier = opened.use(await Notifier.open(notifierOptions))
    this.#notifier = notifier
    opened.defer(() => {
      this.#notifier = undefined
    })
    if (this.#catalog && options.catalogStore) {
      opened.use(this.#keep(this.#catalog, options.catalogStore, notifier, onError))
      opened.defer(() => {
        this.#keeper = undefined
      })
    }
    return opened.move()
  }

  /**
   * Starts once `upToDate` resolves; not at all if the result is disposed of before. For a start that
   * serves zones before they are up to date.
   */
  startAfter(upToDate: Promise<void>, options: StartOptions): AsyncDisposable {
    let isWanted = true
    let starting: Promise<AsyncDisposable | undefined> | undefined
    void upToDate.then(() => {
      if (isWanted) starting = this.#tryToStart(options)
    })
    return {
      async [Symbol.asyncDispose]() {
        isWanted = false
        await (await starting)?.[Symbol.asyncDispose]()
      },
    }
  }

  async #tryToStart(options: StartOptions): Promise<AsyncDisposable | undefined> {
    try {
      return await this.start(options)
    } catch (error) {
      options.onError(error)
      return undefined
    }
  }

  #keep(
    catalog: Catalog,
    store: CatalogStore,
    notifier: Notifier,
    onError: StartOptions['onError'],
  ): CatalogKeeper {
    const onChange = () => notifier.changed(catalog.apex)
    const keeper = new CatalogKeeper({ catalog, store, source: this.#zones, onChange, onError })
    for (const apex of this.#apexes.all) keeper.changed(apex)
    for (const name of catalog.names) keeper.changed(name)
    keeper.start()
    this.#keeper = keeper
    return keeper
  }
}

const MAX_REPLY_OCTETS = 65_535

/** Answers a query whose signature was removed. Does not report awaited names. */
function ordinaryOf({ shared }: Pick<ZoneStore, 'shared'>) {
  const responder = new Responder(new StoreView(shared))
  const out = new Uint8Array(MAX_REPLY_OCTETS)
  return (query: Buffer, transport: Transport): Buffer | undefined => {
    const length = responder.answer(query, 0, query.length, transport, out, 0)
    return length === 0 ? undefined : Buffer.from(out.subarray(0, length))
  }
}
