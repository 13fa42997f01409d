/**
 * Maps each name to the offset of its latest record in the log. A hash table of 8 octets a slot, at
 * most half full: a million names take 16 MiB. It does not store the names: for equal hashes it
 * reads the name in the record.
 */
import { randomInt } from 'node:crypto'
import { UNIT } from './format.ts'

const FIRST_SLOTS = 1024
/** No record begins at offset 0: the header does. */
const EMPTY = 0

/** Reads the name of the record at an offset. */
export type NameAt = (at: number) => string

export class RecordOffsets {
  readonly #nameAt: NameAt
  /** Random, so that customers cannot choose names that collide. */
  readonly #seed = randomInt(2 ** 32)
  #hashes: Uint32Array
  #units: Uint32Array
  /** The slots of the names seen since `clearSeen`. */
  #seen: Uint8Array
  #size = 0

  /** Allocates slots for `names` names, because growing takes time: a moment for each million. */
  constructor(nameAt: NameAt, names = 0) {
    const slots = Math.max(FIRST_SLOTS, 2 ** Math.ceil(Math.log2(2 * names + 2)))
    this.#nameAt = nameAt
    this.#hashes = new Uint32Array(slots)
    this.#units = new Uint32Array(slots)
    this.#seen = new Uint8Array(slots)
  }

  get size(): number {
    return this.#size
  }

  /** The offset of the name's record, or undefined. */
  get(name: string): number | undefined {
    const units = this.#units[this.#slotOf(name, this.#hash(name))]!
    return units === EMPTY ? undefined : units * UNIT
  }

  /** Sets the offset of the name's latest record; returns the former one. */
  set(name: string, at: number): number | undefined {
    if (2 * (this.#size + 1) > this.#units.length) this.#grow()
    const hash = this.#hash(name)
    const slot = this.#slotOf(name, hash)
    const units = this.#units[slot]!
    if (units === EMPTY) this.#size++
    this.#hashes[slot] = hash
    this.#units[slot] = at / UNIT
    this.#seen[slot] = 1
    return units === EMPTY ? undefined : units * UNIT
  }

  /** Removes a name; returns the offset of its record. */
  delete(name: string): number | undefined {
    const slot = this.#slotOf(name, this.#hash(name))
    const units = this.#units[slot]!
    if (units === EMPTY) return undefined
    this.#size--
    this.#close(slot)
    return units * UNIT
  }

  /** Whether the record of `name` at `at` is its latest. */
  isLatest(name: string, at: number): boolean {
    const [hash, units, last] = [this.#hash(name), at / UNIT, this.#units.length - 1]
    for (let slot = hash & last; this.#units[slot] !== EMPTY; slot = (slot + 1) & last) {
      if (this.#units[slot] === units) return true
    }
    return false
  }

  /** Marks all names as not seen. */
  clearSeen(): void {
    this.#seen.fill(0)
  }

  /** Marks a name as seen, without a new offset. */
  markSeen(name: string): void {
    const slot = this.#slotOf(name, this.#hash(name))
    if (this.#units[slot] !== EMPTY) this.#seen[slot] = 1
  }

  /** The names that were not seen since `clearSeen`. */
  *unseen(): Generator<string> {
    for (let slot = 0; slot < this.#units.length; slot++) {
      const units = this.#units[slot]!
      if (units !== EMPTY && this.#seen[slot] === 0) yield this.#nameAt(units * UNIT)
    }
  }

  #hash(name: string): number {
    let hash = this.#seed
    for (let index = 0; index < name.length; index++) {
      hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
      hash ^= hash >>> 15
    }
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    return (hash ^ (hash >>> 13)) >>> 0
  }

  /** The slot of the name, or the empty slot where it would go. */
  #slotOf(name: string, hash: number): number {
    const last = this.#units.length - 1
    let slot = hash & last
    while (this.#units[slot] !== EMPTY) {
      if (this.#hashes[slot] === hash && this.#nameAt(this.#units[slot]! * UNIT) === name) break
      slot = (slot + 1) & last
    }
    return slot
  }

  /** Moves up entries that could no longer be found behind the emptied slot. */
  #close(emptied: number): void {
    const last = this.#units.length - 1
    let hole = emptied
    for (let slot = (hole + 1) & last; this.#units[slot] !== EMPTY; slot = (slot + 1) & last) {
      const home = this.#hashes[slot]! & last
      if (((slot - home) & last) < ((slot - hole) & last)) continue
      this.#copy(slot, hole)
      hole = slot
    }
    this.#units[hole] = EMPTY
  }

  #copy(from: number, to: number): void {
    this.#hashes[to] = this.#hashes[from]!
    this.#units[to] = this.#units[from]!
    this.#seen[to] = this.#seen[from]!
  }

  #grow(): void {
    const [hashes, units, seen] = [this.#hashes, this.#units, this.#seen]
    const slots = 2 * units.length
    this.#hashes = new Uint32Array(slots)
    this.#units = new Uint32Array(slots)
    this.#seen = new Uint8Array(slots)
    for (let from = 0; from < units.length; from++) {
      if (units[from] === EMPTY) continue
      let slot = hashes[from]! & (slots - 1)
      while (this.#units[slot] !== EMPTY) slot = (slot + 1) & (slots - 1)
      this.#hashes[slot] = hashes[from]!
      this.#units[slot] = units[from]!
      this.#seen[slot] = seen[from]!
    }
  }
}
