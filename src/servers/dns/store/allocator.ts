/** Allocates blobs in slabs. Freed blocks are reused for blobs of about the same size. */
import { HEADER, i32, SLAB_UNIT_BITS, setU32, UNIT_BITS } from './layout.ts'
import type { Shared } from './shared.ts'
import { offsetOf } from './view.ts'

const FIRST_SLAB_OCTETS = 2 ** 20
const MAX_SLAB_OCTETS = 2 ** (SLAB_UNIT_BITS + UNIT_BITS)
const MAX_SLABS = 1023
/** Large sizes are rounded up, and the first unit of the first slab is unused. */
export const MAX_ZONE_OCTETS = MAX_SLAB_OCTETS - 2 ** 17
/** How much larger than its blob a reused block may be. */
const MAX_WASTE = 1.25

export class Allocator {
  readonly #shared: Shared
  /** Freed positions by their size in units. */
  readonly #free = new Map<number, number[]>()
  /** The number of slabs that every reader knows; only these are allocated from. */
  #usable = 0
  #slab = 0
  /** In units. The first is never used, so that no position is 0. */
  #next = 1

  constructor(shared: Shared) {
    this.#shared = shared
  }

  /** A position for so many octets; undefined when another slab is needed first. */
  take(octets: number): number | undefined {
    const units = unitsFor(octets)
    for (let size = units; size <= MAX_WASTE * units; size += stepFrom(size)) {
      const position = this.#free.get(size)?.pop()
      if (position !== undefined) return position
    }
    return this.#takeNew(units)
  }

  free(position: number): void {
    const slab = this.#shared.slabs[position >>> SLAB_UNIT_BITS]!
    const size = i32(slab, offsetOf(position) + HEADER.capacity)
    const rooms = this.#free.get(size)
    if (rooms) rooms.push(position)
    else this.#free.set(size, [position])
  }

  /** Creates the next slab, usable once `use` is called. Throws when the maximum is reached. */
  grow(): { slab: Uint8Array<SharedArrayBuffer>; at: number } {
    const at = this.#shared.slabs.length
    if (at >= MAX_SLABS) throw new RangeError('The store of zones is full')
    const octets = Math.min(FIRST_SLAB_OCTETS * 4 ** at, MAX_SLAB_OCTETS)
    const slab = new Uint8Array(new SharedArrayBuffer(octets))
    this.#shared.slabs.push(slab)
    return { slab, at }
  }

  use(): void {
    this.#usable++
  }

  #takeNew(units: number): number | undefined {
    for (; this.#slab < this.#usable; this.#slab++, this.#next = 0) {
      const slab = this.#shared.slabs[this.#slab]!
      if ((this.#next + units) << UNIT_BITS > slab.length) continue
      const position = (this.#slab << SLAB_UNIT_BITS) | this.#next
      setU32(slab, offsetOf(position) + HEADER.capacity, units)
      this.#next += units
      return position
    }
    return undefined
  }
}

/** In units; large sizes are rounded up, so that there are few sizes and freed blocks fit again. */
function unitsFor(octets: number): number {
  const units = (octets + 2 ** UNIT_BITS - 1) >>> UNIT_BITS
  const step = stepFrom(units)
  return Math.ceil(units / step) * step
}

function stepFrom(units: number): number {
  if (units < 2 ** 10) return 1
  return units < 2 ** 16 ? 2 ** 6 : 2 ** 12
}
