/**
 * The memory that the store's writer and readers share: slabs that hold the blobs, an index from names
 * to positions in them, and some control words. There is one writer; readers never wait for it.
 */
import { randomBytes } from 'node:crypto'

/** Secret, so that nobody can choose names that collide. */
export type Seed = { start: number; multiplier: number }

/** An open-addressed table of pairs: the hash of an apex, the position of its blob. Half of it is free. */
export type Index = { number: number; words: Int32Array<SharedArrayBuffer> }

export type Shared = {
  seed: Seed
  control: Int32Array<SharedArrayBuffer>
  slabs: Uint8Array<SharedArrayBuffer>[]
  indexes: Map<number, Index>
}

/** Memory that a reader in another thread receives before the control words refer to it. */
export type Growth =
  | { number: number; slab: Uint8Array<SharedArrayBuffer>; at: number }
  | { number: number; index: Index }

/** Control words. Each reader's epoch has a cache line of its own. */
export const CONTROL = { index: 0, epoch: 1, readers: 16, wordsAReader: 16 } as const
export const MAX_READERS = 32
/** The epoch of a reader that holds no position. */
export const IDLE = 0

/** A slot of the index without a position. */
export const EMPTY = 0
export const DELETED = -1

export function newSeed(): Seed {
  const octets = randomBytes(8)
  return { start: octets.readInt32LE(0), multiplier: octets.readInt32LE(4) | 1 }
}

export const newIndex = (number: number, slots: number): Index => ({
  number,
  words: new Int32Array(new SharedArrayBuffer(8 * slots)),
})

export const readerWord = (slot: number): number => CONTROL.readers + slot * CONTROL.wordsAReader
