/**
 * Everything that secondaries are given, put together: transfers, the catalog, and NOTIFY. The rest of the
 * server says which zones there are and when one changes, and asks `answer` before it answers itself.
 */

import type { TsigKey } from '#dns/tsig.ts'
import type { Endpoint } from '#names/ip.ts'
import { type TransferAnswerOptions, TransferAnswers } from './answer.ts'
import { Apexes } from './apexes.ts'
import { Catalog } from './catalog.ts'
import { CatalogKeeper } from './catalog-keeper.ts'
import { Notifier } from './notify.ts'
import type { CatalogStore, TransferSource } from './source.ts'

export type SecondariesSettings = {
  /** Secondaries that are sent NOTIFY. */
  notify: readonly Endpoint[]
  /** The first signs what we send; all of them are taken from others. */
  keys: readonly TsigKey[]
  /** Addresses that may transfer without a key. */
  addresses: readonly string[]
  /** Its apex is absolute and lowercase. Absent: secondaries are given the names of their zones by hand. */
  catalog?: { apex: string; store: CatalogStore }
  /** Seconds since 1970. */
  nowS: () => number
  onTrouble(sentence: string): void
}

export type SecondariesOptions = SecondariesSettings & {
  source: TransferSource
  ordinary: TransferAnswerOptions['ordinary']
  /** Local addresses that we listen at. */
  from: readonly string[]
  onError(error: unknown): void
}

export type Secondaries = AsyncDisposable & {
  answer: TransferAnswers['answer']
  /** The zone of this apex has come, gone or changed. Absolute and lowercase. */
  changed(apex: string, isThere: boolean): void
  /** Begins to write the catalog and to send NOTIFY. To be called when all zones have been read. */
  start(): void
}

export async function openSecondaries(options: SecondariesOptions): Promise<Secondaries> {
  await using opened = new AsyncDisposableStack()
  const { source, keys, addresses, ordinary, nowS } = options
  const catalog = options.catalog && new Catalog(options.catalog.apex)
  const answers = new TransferAnswers({ source, catalog, keys, addresses, ordinary, nowS })
  const notifier = opened.use(
    await Notifier.open({ ...options, secondaries: options.notify, key: keys[0] }),
  )
  const keeper =
    catalog &&
    options.catalog &&
    opened.use(
      new CatalogKeeper({
        catalog,
        store: options.catalog.store,
        source,
        onChange: () => notifier.changed(catalog.apex),
        onError: options.onError,
      }),
    )
  const apexes = new Apexes()
  let hasStarted = false
  const closing = opened.move()
  return {
    answer: (...asked) => answers.answer(...asked),
    changed(apex, isThere) {
      for (const each of isThere ? apexes.add(apex) : apexes.delete(apex)) keeper?.changed(each)
      // What is read at the start is no change. Secondaries ask for serials when they refresh.
      if (hasStarted && source.zone(apex) !== undefined) notifier.changed(apex)
    },
    start() {
      keeper?.start()
      hasStarted = true
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}
