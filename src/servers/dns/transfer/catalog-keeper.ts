/**
 * Keeps the catalog in step with other processes' changes and with the zones that this one serves. One
 * process at a time writes; each proposes only names that it has seen change.
 */
import { setImmediate } from 'node:timers/promises'
import type { Catalog } from './catalog.ts'
import type { CatalogChange, CatalogStore, TransferSource } from './source.ts'

const POLL_MS = 1000
/** Changes are batched for so long, so that a thousand of them make one version. */
const GATHER_MS = 100
/** How often the writer renews its lease. */
const RENEW_MS = 3000
const CHANGES_A_WRITE = 5000
/** How many names are compared without a pause. */
const NAMES_A_STEP = 2000

export type CatalogKeeperOptions = {
  catalog: Catalog
  store: CatalogStore
  source: TransferSource
  /** Called after each change of the catalog. */
  onChange(): void
  onError(error: unknown): void
}

export class CatalogKeeper implements AsyncDisposable {
  readonly #options: CatalogKeeperOptions
  /** Names whose entry in the catalog may differ from the source. */
  readonly #unsettled = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  /** When the timer fires. */
  #dueAt = Number.POSITIVE_INFINITY
  #bell: Disposable | undefined
  #stepping: Promise<void> | undefined
  #renewAt = 0
  #isEnding = false

  constructor(options: CatalogKeeperOptions) {
    this.#options = options
  }

  /** To be called when the source is complete: the catalog loses members that the source lacks. */
  start(): void {
    this.#bell = this.#options.store.onChange(() => this.#soon(GATHER_MS))
    this.#soon(0)
  }

  /** The zone of this name was added, removed or changed. */
  changed(name: string): void {
    this.#unsettled.add(name)
    if (this.#bell !== undefined) this.#soon(GATHER_MS)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isEnding = true
    clearTimeout(this.#timer)
    this.#bell?.[Symbol.dispose]()
    await this.#stepping
    await this.#options.store.release().catch(this.#options.onError)
  }

  /** Schedules the next step in at most so many milliseconds. */
  #soon(ms: number): void {
    const at = performance.now() + ms
    if (this.#isEnding || at >= this.#dueAt) return
    clearTimeout(this.#timer)
    this.#dueAt = at
    this.#timer = setTimeout(() => this.#run(), ms)
  }

  #run(): void {
    this.#dueAt = Number.POSITIVE_INFINITY
    if (this.#stepping !== undefined) return // The step under way schedules another one.
    this.#stepping = this.#step()
      .then((isDone) => this.#next(isDone ? POLL_MS : 0))
      .catch((error) => {
        this.#options.onError(error)
        this.#next(POLL_MS)
      })
  }

  #next(ms: number): void {
    this.#stepping = undefined
    this.#soon(ms)
  }

  /** Reads once and writes once; returns whether nothing is left to do for now. */
  async #step(): Promise<boolean> {
    const { catalog, store, onChange } = this.#options
    await this.#follow()
    const { changes, isWhole } = await this.#proposals()
    const isRenewal = changes.length === 0
    if (isRenewal && performance.now() < this.#renewAt) return true
    const isWritten = await store.write(catalog.serial, changes)
    this.#renewAt = performance.now() + RENEW_MS
    if (!isWritten || isRenewal) return true
    catalog.apply(changes)
    onChange()
    return isWhole
  }

  async #follow(): Promise<void> {
    const { catalog, store, onChange } = this.#options
    const changes = catalog.isRead ? await store.since(catalog.serial) : undefined
    if (changes === undefined) {
      await this.#readWhole()
      return onChange()
    }
    if (changes.length === 0) return
    catalog.apply(changes)
    for (const { name } of changes) this.#unsettled.add(name)
    onChange()
  }

  async #readWhole(): Promise<void> {
    const { catalog, store } = this.#options
    for (const name of catalog.names) this.#unsettled.add(name)
    const { serial, members, latest } = await store.read()
    catalog.replace(serial, members, latest)
    for (const name of catalog.names) this.#unsettled.add(name)
  }

  /** The changes that bring the catalog in line with the source. Equal names become settled. */
  async #proposals(): Promise<{ changes: CatalogChange[]; isWhole: boolean }> {
    const { catalog, source } = this.#options
    const changes: CatalogChange[] = []
    let looked = 0
    for (const name of this.#unsettled) {
      if (++looked % NAMES_A_STEP === 0) await setImmediate()
      if (this.#isEnding) return { changes: [], isWhole: true }
      const [have, want] = [catalog.memberId(name), source.zone(name)?.memberId]
      if (have === want) this.#unsettled.delete(name)
      else if (changes.length >= CHANGES_A_WRITE) return { changes, isWhole: false }
      // RFC 9432 section 5.4: a member with a new label is set up anew.
      if (have !== want && have !== undefined)
        changes.push({ name, memberId: have, isAdded: false })
      if (have !== want && want !== undefined) changes.push({ name, memberId: want, isAdded: true })
    }
    return { changes, isWhole: true }
  }
}
