/**
 * The zones that we serve, in memory that all threads read and one writes. A zone is published by one
 * atomic store of its position, so a reader sees either the former zone or the new one. The former's
 * memory is reused when no reader can hold its position any more.
 */
import { WireName } from '../wire-name.ts'
import { Allocator, MAX_ZONE_OCTETS } from './allocator.ts'
import { apexOfBlob } from './encode.ts'
import { FORMAT, HEADER, i32, SLAB_UNIT_BITS, setU32, u16 } from './layout.ts'
import {
  CONTROL,
  DELETED,
  EMPTY,
  type Growth,
  IDLE,
  MAX_READERS,
  newIndex,
  newSeed,
  readerWord,
  type Shared,
} from './shared.ts'
import { offsetOf, StoreView } from './view.ts'

const FIRST_SLOTS = 1024

/** A reader in another thread. */
export type Reader = {
  /** Passed to the thread at its start. */
  shared: Shared
  slot: number
  /** The thread has taken over the growth of this number. */
  acknowledge(number: number): void
  /** The thread stops reading. */
  detach(): void
}

type Change = ({ blob: Uint8Array } | { apex: Uint8Array }) & { done: () => void }
type Retired = { position: number; epoch: number }

export class ZoneStore {
  readonly #shared: Shared
  readonly #allocator: Allocator
  readonly #name: WireName
  readonly #view: StoreView
  readonly #readers = new Map<number, { post(growth: Growth): void; acknowledged: number }>()
  /** Memory that becomes usable once every reader has acknowledged it. */
  readonly #growing: { number: number; use(): void }[] = []
  #growths = 0
  /** Changes that wait for memory, in order. */
  readonly #queued: Change[] = []
  #isDraining = false
  readonly #retired: Retired[] = []
  #names = 0
  /** Slots of the index in use, deleted ones included. */
  #taken = 0
  #isIndexGrowing = false

  constructor() {
    const control = new Int32Array(
      new SharedArrayBuffer(4 * (CONTROL.readers + MAX_READERS * CONTROL.wordsAReader)),
    )
    Atomics.store(control, CONTROL.epoch, IDLE + 1)
    const indexes = new Map([[0, newIndex(0, FIRST_SLOTS)]])
    this.#shared = { seed: newSeed(), control, slabs: [], indexes }
    this.#allocator = new Allocator(this.#shared)
    this.#name = new WireName(this.#shared.seed)
    this.#view = new StoreView(this.#shared)
  }

  /** For a reader in this thread. */
  get shared(): Shared {
    return this.#shared
  }

  /** The number of names with a blob. */
  get size(): number {
    return this.#names
  }

  /**
   * Serves the blob at its apex from now on. The blob is copied. Throws at another format. Calls `done`
   * once it is served: at once, unless memory must grow first.
   */
  put(blob: Uint8Array, done = () => {}): void {
    if (
      blob.length < HEADER.octets ||
      u16(blob, HEADER.format) !== FORMAT ||
      i32(blob, 0) !== blob.length
    ) {
      throw new RangeError('Not a zone of this format')
    }
    if (blob.length > MAX_ZONE_OCTETS) throw new RangeError('A zone is larger than a slab')
    this.#change({ blob, done })
  }

  /** Serves nothing for the apex, a lowercase wire name, from now on. */
  delete(apex: Uint8Array, done = () => {}): void {
    this.#change({ apex, done })
  }

  /** Lets one more thread read. It takes over each posted `Growth` and acknowledges its number. */
  attach(post: (growth: Growth) => void): Reader {
    let slot = 0
    while (this.#readers.has(slot)) slot++
    if (slot >= MAX_READERS) throw new RangeError(`There are ${MAX_READERS} readers already`)
    const reader = { post, acknowledged: this.#growths }
    this.#readers.set(slot, reader)
    return {
      shared: {
        ...this.#shared,
        slabs: [...this.#shared.slabs],
        indexes: new Map(this.#shared.indexes),
      },
      slot,
      acknowledge: (number) => {
        reader.acknowledged = Math.max(reader.acknowledged, number)
        this.#useGrowth()
      },
      detach: () => {
        if (this.#readers.get(slot) !== reader) return
        this.#readers.delete(slot)
        Atomics.store(this.#shared.control, readerWord(slot), IDLE)
        this.#useGrowth()
      },
    }
  }

  get #words(): Int32Array<SharedArrayBuffer> {
    const { control, indexes } = this.#shared
    return indexes.get(Atomics.load(control, CONTROL.index))!.words
  }

  #change(change: Change): void {
    if (this.#queued.length > 0 || !this.#apply(change)) this.#queued.push(change)
  }

  /** False when it has to wait for memory. */
  #apply(change: Change): boolean {
    if (!this.#read('blob' in change ? apexOfBlob(change.blob) : change.apex)) {
      throw new RangeError('Not a name')
    }
    if (!('blob' in change)) {
      this.#unpublish()
      change.done()
      return true
    }
    if (!this.#hasFreeSlot()) return false
    this.#reclaim()
    const position = this.#allocator.take(change.blob.length)
    if (position === undefined) {
      this.#growSlabs()
      return this.#growing.length === 0 ? this.#apply(change) : false
    }
    this.#write(position, change.blob)
    this.#publish(position)
    change.done()
    return true
  }

  #read(apex: Uint8Array): boolean {
    return this.#name.read(apex, 0, apex.length)
  }

  #write(position: number, blob: Uint8Array): void {
    const slab = this.#shared.slabs[position >>> SLAB_UNIT_BITS]!
    const at = offsetOf(position)
    const capacity = i32(slab, at + HEADER.capacity)
    slab.set(blob, at)
    setU32(slab, at + HEADER.capacity, capacity)
  }

  #publish(position: number): void {
    const words = this.#words
    const found = this.#slotOf()
    if (found !== -1) {
      this.#retire(Atomics.exchange(words, 2 * found + 1, position))
      return
    }
    const mask = (words.length >>> 1) - 1
    const hash = this.#name.hashes[0]!
    let slot = hash & mask
    while (words[2 * slot + 1] !== EMPTY && words[2 * slot + 1] !== DELETED)
      slot = (slot + 1) & mask
    if (words[2 * slot + 1] === EMPTY) this.#taken++
    // The hash first: a reader reads it after the position.
    Atomics.store(words, 2 * slot, hash)
    Atomics.store(words, 2 * slot + 1, position)
    this.#names++
  }

  #unpublish(): void {
    const slot = this.#slotOf()
    if (slot === -1) return
    this.#retire(Atomics.exchange(this.#words, 2 * slot + 1, DELETED))
    this.#names--
  }

  /** The slot of the name read last, or -1. */
  #slotOf(): number {
    const words = this.#words
    const mask = (words.length >>> 1) - 1
    const hash = this.#name.hashes[0]!
    this.#view.enter()
    const position = this.#view.lookup(this.#name, 0)
    if (position === EMPTY) return -1
    let slot = hash & mask
    while (words[2 * slot + 1] !== position) slot = (slot + 1) & mask
    return slot
  }

  #retire(position: number): void {
    const epoch = Atomics.add(this.#shared.control, CONTROL.epoch, 1)
    this.#retired.push({ position, epoch })
  }

  /** Frees blobs retired before the epoch of every reader that holds positions. */
  #reclaim(): void {
    if (this.#retired.length === 0) return
    let oldest = Number.POSITIVE_INFINITY
    for (const slot of this.#readers.keys()) {
      const epoch = Atomics.load(this.#shared.control, readerWord(slot))
      if (epoch !== IDLE) oldest = Math.min(oldest, epoch)
    }
    const kept = this.#retired.findIndex(({ epoch }) => epoch >= oldest)
    const freed = this.#retired.splice(0, kept === -1 ? this.#retired.length : kept)
    for (const { position } of freed) this.#allocator.free(position)
  }

  #growSlabs(): void {
    if (this.#growing.length > 0) return
    const { slab, at } = this.#allocator.grow()
    this.#share(
      (number) => ({ number, slab, at }),
      () => this.#allocator.use(),
    )
  }

  /** Whether the index has room for one more; begins to grow it when it is half full. */
  #hasFreeSlot(): boolean {
    const slots = this.#words.length >>> 1
    if (2 * this.#taken >= slots && !this.#isIndexGrowing) this.#growIndex()
    return 4 * this.#taken < 3 * (this.#words.length >>> 1)
  }

  #growIndex(): void {
    this.#isIndexGrowing = true
    const { control, indexes } = this.#shared
    let slots = FIRST_SLOTS
    while (slots < 3 * this.#names) slots *= 2
    const index = newIndex(Atomics.load(control, CONTROL.index) + 1, slots)
    indexes.set(index.number, index)
    this.#share(
      (number) => ({ number, index }),
      () => {
        this.#taken = copyIndex(this.#words, index.words)
        Atomics.store(control, CONTROL.index, index.number)
        indexes.delete(index.number - 1)
        this.#isIndexGrowing = false
      },
    )
  }

  /** Sends every reader the growth, and calls `use` once all have acknowledged it. */
  #share(growth: (number: number) => Growth, use: () => void): void {
    const number = ++this.#growths
    this.#growing.push({ number, use })
    for (const { post } of this.#readers.values()) post(growth(number))
    this.#useGrowth()
  }

  #useGrowth(): void {
    const acknowledged = Math.min(
      this.#growths,
      ...[...this.#readers.values()].map((reader) => reader.acknowledged),
    )
    while (this.#growing.length > 0 && this.#growing[0]!.number <= acknowledged) {
      this.#growing.shift()!.use()
    }
    if (this.#isDraining) return
    this.#isDraining = true
    let done = 0
    try {
      while (done < this.#queued.length && this.#apply(this.#queued[done]!)) done++
    } finally {
      this.#queued.splice(0, done)
      this.#isDraining = false
    }
  }
}

/** Returns how many slots are taken. Does not copy deleted ones. */
function copyIndex(from: Int32Array, to: Int32Array): number {
  const mask = (to.length >>> 1) - 1
  let taken = 0
  for (let i = 0; i < from.length; i += 2) {
    const position = from[i + 1]!
    if (position === EMPTY || position === DELETED) continue
    let slot = from[i]! & mask
    while (to[2 * slot + 1] !== EMPTY) slot = (slot + 1) & mask
    to[2 * slot] = from[i]!
    to[2 * slot + 1] = position
    taken++
  }
  return taken
}
