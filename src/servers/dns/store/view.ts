/** A reader's view of the store of zones. A reader announces an epoch while it uses positions. */
import type { WireName } from '../wire-name.ts'
import { HEADER, SLAB_UNIT_BITS, UNIT_BITS } from './layout.ts'
import {
  CONTROL,
  DELETED,
  EMPTY,
  type Growth,
  IDLE,
  type Index,
  readerWord,
  type Shared,
} from './shared.ts'

const UNITS_OF_A_SLAB = (1 << SLAB_UNIT_BITS) - 1

export class StoreView {
  readonly shared: Shared
  readonly #word: number | undefined
  #index: Index
  /** The slabs as Buffers, which copy faster. */
  readonly #slabs: Buffer[] = []

  /** `slot` is absent for a reader in the writer's thread: the two never run at the same time. */
  constructor(shared: Shared, slot?: number) {
    this.shared = shared
    this.#word = slot === undefined ? undefined : readerWord(slot)
    this.#index = this.#currentIndex()
  }

  /** Positions found from now on stay valid until `leave`. */
  enter(): void {
    const { control } = this.shared
    // `Atomics` keeps the order: the announcement is visible before the index is read.
    if (this.#word !== undefined)
      Atomics.store(control, this.#word, Atomics.load(control, CONTROL.epoch))
    if (Atomics.load(control, CONTROL.index) !== this.#index.number)
      this.#index = this.#currentIndex()
  }

  leave(): void {
    if (this.#word !== undefined) Atomics.store(this.shared.control, this.#word, IDLE)
  }

  /** Adds memory that the writer is about to use. */
  grow(growth: Growth): void {
    if ('slab' in growth) this.shared.slabs[growth.at] = growth.slab
    else this.shared.indexes.set(growth.index.number, growth.index)
  }

  /** The position of the blob whose apex is a name's suffix at a label, or `EMPTY`. */
  lookup(name: WireName, label: number): number {
    const { words } = this.#index
    const mask = (words.length >>> 1) - 1
    const hash = name.hashes[label]!
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const position = Atomics.load(words, 2 * slot + 1)
      if (position === EMPTY) return EMPTY
      if (position === DELETED || words[2 * slot] !== hash) continue
      if (this.#isApex(position, name, label)) return position
    }
  }

  slabOf(position: number): Buffer {
    return this.#slabs[position >>> SLAB_UNIT_BITS] ?? this.#openSlab(position >>> SLAB_UNIT_BITS)
  }

  #openSlab(number: number): Buffer {
    const { buffer } = this.shared.slabs[number]!
    const slab = Buffer.from(buffer)
    this.#slabs[number] = slab
    return slab
  }

  #isApex(position: number, name: WireName, label: number): boolean {
    const slab = this.slabOf(position)
    const at = offsetOf(position)
    const start = name.starts[label]!
    const length = name.length - start
    if (slab[at + HEADER.apexLength] !== length) return false
    for (let i = 0; i < length; i++) {
      if (slab[at + HEADER.octets + i] !== name.octets[start + i]) return false
    }
    return true
  }

  #currentIndex(): Index {
    const { control, indexes } = this.shared
    const number = Atomics.load(control, CONTROL.index)
    for (const older of indexes.keys()) if (older < number) indexes.delete(older)
    return indexes.get(number)!
  }
}

export function offsetOf(position: number): number {
  return (position & UNITS_OF_A_SLAB) << UNIT_BITS
}
