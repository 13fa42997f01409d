/**
 * Keeps what the nameserver serves in one file of its data directory, so that it can serve before the
 * database is reachable. It does not interpret zones: a record is a name and octets. However the file is
 * damaged, reading it gives the state at some earlier moment: each record has a checksum, and reading
 * stops at the first that does not match.
 *
 * Records are only appended. Once most of them are outdated, the others are copied to a new file. A disk
 * that cannot be written makes the log fall behind, and stops nothing else.
 */
import { type LogFiles, systemFiles } from './file.ts'
import { deletion, type LogRecord } from './format.ts'
import { createSegment, loadSegment, type Mark, type Segment, type Take } from './segment.ts'

export type { Mark } from './segment.ts'

export type ZoneLogOptions = {
  path: string
  /** Identifies the format of the payloads. A log with another meta is started anew. */
  meta: Uint8Array
  /** The time of day, in milliseconds since 1970. */
  now(): number
  /** Locks the file for the one process that may write it; rejects while another holds the lock. */
  lock?(): Promise<AsyncDisposable>
  /** Trouble with the file. */
  onError(error: unknown): void
  files?: LogFiles
}

const SYNC_EVERY_MS = 1000
/** How long to wait before writing again to a disk that failed. */
const REST_MS = 300_000
/** With fewer outdated records, compaction is not worth the work. */
const OUTDATED_AT_LEAST = 10_000

export class ZoneLog implements AsyncDisposable {
  readonly #options: ZoneLogOptions
  readonly #files: LogFiles
  #lock: AsyncDisposable | undefined
  #segment: Segment | undefined
  #isReadOnly = false
  /** When to try again after a failed write. */
  #restUntil: number | undefined
  /** The operation on the file that is under way, if any. */
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

  /** The number of names it holds. */
  get size(): number {
    return this.#segment?.offsets.size ?? 0
  }

  /** Whether a write failed; nothing is written until `tryAgain`. */
  get isBehind(): boolean {
    return this.#restUntil !== undefined
  }

  /** Whether the wait after a failed write is over. */
  get isRested(): boolean {
    return this.#restUntil !== undefined && this.#options.now() >= this.#restUntil
  }

  /**
   * Opens or creates the log, and passes on every record still in the file, in order: the last record of
   * a name counts. Never rejects: without a file it keeps nothing.
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
      // An unwritable file may still be readable.
      this.#isReadOnly = true
      const reading = loadSegment(this.#files, path, { meta, flags: 'r', take })
      this.#segment ??= await reading.catch((again) => {
        onError(again)
        return undefined
      })
    }
  }

  /**
   * Adds the payload of each name, or its deletion (`undefined`). Resolves when it is written, or when
   * the log is behind; a sync follows within a second.
   */
  append(entries: readonly (readonly [key: string, payload: Uint8Array | undefined])[]) {
    return this.#add(
      entries.map(([key, payload]) =>
        payload === undefined ? deletion(key) : { kind: 'set', key, payload },
      ),
    )
  }

  /** Notes that the log holds every change before this mark. */
  complete({ mark, database }: Omit<Mark, 'at'>): Promise<void> {
    return this.#add([markRecord({ mark, database, at: this.#options.now() })])
  }

  /** Starts writing again. The caller adds again whatever it added since the log's mark. */
  tryAgain(): Promise<void> {
    return this.#inTurn(async () => {
      this.#restUntil = undefined
      if (!this.#segment || this.#isReadOnly) return this.open(() => undefined)
      await this.#segment.cut().catch((error) => this.#fail(error))
    })
  }

  /** Marks all names as not seen. */
  async clearSeen(): Promise<void> {
    await this.#compacting
    this.#segment?.offsets.clearSeen()
  }

  /** The names in the log that were not added since `clearSeen`. */
  *unseen(): Generator<string> {
    if (this.#segment) yield* this.#segment.offsets.unseen()
  }

  /** Starts a compaction if many records are outdated. Not to be called between `clearSeen` and `unseen`. */
  tidy(): void {
    const { outdated = 0 } = this.#segment ?? {}
    const isWorthwhile = outdated >= OUTDATED_AT_LEAST && outdated > this.size
    if (!isWorthwhile || this.isBehind) return
    this.#compacting ??= this.compact().finally(() => {
      this.#compacting = undefined
    })
  }

  /** Copies the current records to a new file, which replaces the old one. */
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
    // Few records were added meanwhile, and no more are added until these are copied.
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
      if (this.isBehind) return markSeen(segment, records)
      try {
        await segment.add(records)
        this.#syncing ??= setTimeout(() => void this.#inTurn(() => this.#sync()), SYNC_EVERY_MS)
      } catch (error) {
        this.#fail(error)
        markSeen(segment, records)
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

/** Marks the names as seen, even where they cannot be written. */
function markSeen({ offsets }: Segment, records: readonly LogRecord[]): void {
  for (const { kind, key } of records) if (kind === 'set') offsets.markSeen(key)
}
