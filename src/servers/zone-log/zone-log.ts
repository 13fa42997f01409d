/**
 * What the nameserver serves, kept in one file of its data directory, so that it can serve before the
 * database is there. Knows nothing of zones: a record is a name and octets. Whatever happens to the file,
 * what is read of it is what was written up to some moment: each record has a checksum, and the first that
 * does not hold ends the log.
 *
 * Records are only ever added. Once most of them are outdated, the others are copied to a new file. A disk
 * that cannot be written leaves the log behind, and stops nothing.
 */
import { type LogFiles, systemFiles } from './file.ts'
import { deletion, type LogRecord } from './format.ts'
import { createSegment, loadSegment, type Mark, type Segment, type Take } from './segment.ts'

export type { Mark } from './segment.ts'

export type ZoneLogOptions = {
  path: string
  /** Says what the payloads are. A log that has other octets here is begun anew. */
  meta: Uint8Array
  /** The time of day, in milliseconds since 1970. */
  now(): number
  /** Held by the one process that may write the file; rejects while another does. */
  lock?(): Promise<AsyncDisposable>
  /** Trouble with the file. */
  onError(error: unknown): void
  files?: LogFiles
}

const SYNC_EVERY_MS = 1000
/** How long a disk that could not be written is left alone. */
const REST_MS = 300_000
/** Fewer outdated records are not worth the work. */
const OUTDATED_AT_LEAST = 10_000

export class ZoneLog implements AsyncDisposable {
  readonly #options: ZoneLogOptions
  readonly #files: LogFiles
  #lock: AsyncDisposable | undefined
  #segment: Segment | undefined
  #isReadOnly = false
  /** When a disk that could not be written is tried again. */
  #restUntil: number | undefined
  /** The act on the file that is under way, if any. */
  #turn: Promise<void> = Promise.resolve()
  #syncing: NodeJS.Timeout | undefined
  #compacting: Promise<void> | undefined
  readonly #stop = new AbortController()

  constructor(options: ZoneLogOptions) {
    this.#options = options
    this.#files = options.files ?? systemFiles
  }

  /** Up to where the log is complete; undefined before all names were read once. */
  get mark(): Mark | undefined {
    return this.#segment?.mark
  }

  /** How many names it holds. */
  get size(): number {
    return this.#segment?.places.size ?? 0
  }

  /** Whether something could not be written, and nothing is until `tryAgain`. */
  get isBehind(): boolean {
    return this.#restUntil !== undefined
  }

  /** Whether the disk was left alone for long enough. */
  get isRested(): boolean {
    return this.#restUntil !== undefined && this.#options.now() >= this.#restUntil
  }

  /**
   * Opens the log, or begins one, and hands out all that was ever added and is still there, in that order:
   * of a name, the last holds. Never rejects: without a file it keeps nothing.
   */
  async open(take: Take): Promise<void> {
    const { path, meta, onError } = this.#options
    try {
      this.#lock ??= await this.#options.lock?.()
      await this.#files.remove(draftOf(path))
      this.#segment = await this.#openForWriting(take)
      this.#isReadOnly = false
    } catch (error) {
      this.#fail(error)
      // What cannot be written may still be read.
      this.#isReadOnly = true
      const reading = loadSegment(this.#files, path, { meta, flags: 'r', take })
      this.#segment ??= await reading.catch((again) => {
        onError(again)
        return undefined
      })
    }
  }

  /**
   * Adds what is now said of names, or that nothing is (`undefined`). Resolves when it is written, or the
   * log is behind; a sync follows within a second.
   */
  append(entries: readonly (readonly [key: string, payload: Uint8Array | undefined])[]) {
    return this.#add(
      entries.map(([key, payload]) =>
        payload === undefined ? deletion(key) : { kind: 'set', key, payload },
      ),
    )
  }

  /** Notes that all was added that changed before this mark. */
  complete({ mark, database }: Omit<Mark, 'at'>): Promise<void> {
    return this.#add([markRecord({ mark, database, at: this.#options.now() })])
  }

  /** Writes again. What was added since the mark of the log must be added once more. */
  tryAgain(): Promise<void> {
    return this.#inTurn(async () => {
      this.#restUntil = undefined
      if (!this.#segment || this.#isReadOnly) return this.open(() => undefined)
      await this.#segment.cut().catch((error) => this.#fail(error))
    })
  }

  /** From now on no name has been met. */
  async forgetMet(): Promise<void> {
    await this.#compacting
    this.#segment?.places.forgetMet()
  }

  /** The names that are there, and were not added since `forgetMet`. */
  *unmet(): Generator<string> {
    if (this.#segment) yield* this.#segment.places.unmet()
  }

  /** Drops outdated records, if they are many. Not to be called between `forgetMet` and `unmet`. */
  tidy(): void {
    const { outdated = 0 } = this.#segment ?? {}
    const isWorthwhile = outdated >= OUTDATED_AT_LEAST && outdated > this.size
    if (!isWorthwhile || this.isBehind) return
    this.#compacting ??= this.compact().finally(() => {
      this.#compacting = undefined
    })
  }

  /** Copies what is not outdated to a new file, which takes the place of the old one. */
  async compact(): Promise<void> {
    const { path } = this.#options
    try {
      await this.#replace(draftOf(path), path)
    } catch (error) {
      if (this.#stop.signal.aborted) return
      await this.#inTurn(async () => this.#fail(error))
      await this.#files.remove(draftOf(path)).catch(this.#options.onError)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#compacting
    await this.#inTurn(async () => {
      if (this.#syncing) await this.#sync()
      await this.#segment?.file.close()
      this.#segment = undefined
      await this.#lock?.[Symbol.asyncDispose]()
    })
  }

  async #openForWriting(take: Take): Promise<Segment> {
    const { path, meta, onError } = this.#options
    const found = await loadSegment(this.#files, path, { meta, flags: 'r+', take })
    if (!found) {
      await this.#files.remove(path)
      return createSegment(this.#files, path, meta)
    }
    const torn = await found.torn()
    if (torn > 0) {
      onError(new Error(`the last ${torn} octets of ${path} are damaged, and left out`))
      await found.cut()
    }
    return found
  }

  async #replace(draft: string, path: string): Promise<void> {
    const { signal } = this.#stop
    const old = this.#segment
    if (!old) return
    const next = await createSegment(this.#files, draft, this.#options.meta, this.size)
    await using opened = new AsyncDisposableStack()
    opened.defer(() => next.file.close())
    const copied = await old.copyTo(next, old.begin, signal)
    await next.file.datasync()
    // What was added meanwhile is little, and nothing more is added before it is copied.
    await this.#inTurn(async () => {
      if ((await old.copyTo(next, copied, signal)) !== old.end)
        throw new Error(`${path} cannot be read to its end`)
      if (old.mark) await next.add([markRecord(old.mark)])
      await next.file.datasync()
      await this.#files.replace(draft, path)
      opened.move()
      this.#segment = next
      await old.file.close()
    })
  }

  #add(records: readonly LogRecord[]): Promise<void> {
    return this.#inTurn(async () => {
      const segment = this.#segment
      if (!segment) return
      if (this.isBehind) return meet(segment, records)
      try {
        await segment.add(records)
        this.#syncing ??= setTimeout(() => void this.#inTurn(() => this.#sync()), SYNC_EVERY_MS)
      } catch (error) {
        this.#fail(error)
        meet(segment, records)
      }
    })
  }

  async #sync(): Promise<void> {
    clearTimeout(this.#syncing)
    this.#syncing = undefined
    await this.#segment?.file.datasync().catch((error) => this.#fail(error))
  }

  #fail(error: unknown): void {
    this.#restUntil = this.#options.now() + REST_MS
    this.#options.onError(error)
  }

  #inTurn<Result>(act: () => Promise<Result>): Promise<Result> {
    const done = this.#turn.then(act)
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }
}

const draftOf = (path: string): string => `${path}.new`

const markRecord = (mark: Mark): LogRecord => ({
  kind: 'mark',
  key: '',
  payload: Buffer.from(JSON.stringify(mark)),
})

/** Names that cannot be written are there all the same. */
function meet({ places }: Segment, records: readonly LogRecord[]): void {
  for (const { kind, key } of records) if (kind === 'set') places.meet(key)
}
